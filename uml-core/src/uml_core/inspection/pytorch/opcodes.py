"""Walk through the opcodes of a pickle and note what it describes.

Source: CPython's ``pickletools.py``, which describes each opcode of the protocols 0 to 5.
"""

from __future__ import annotations

from typing import Any

from uml_core.inspection.pytorch import operations
from uml_core.inspection.pytorch.machine import MARK, OPAQUE, CutOff, Machine, Malformed
from uml_core.inspection.pytorch.operations import F8, I4, U1, U2, U4, U8, Operation
from uml_core.inspection.pytorch.values import Made

OPCODES = 1_000_000
STOP = ord(".")
NAMED: dict[str | int, Operation] = {
    "(": operations.push(lambda: MARK),
    "0": operations.pop,
    "1": lambda machine: machine.marked(),
    "2": lambda machine: machine.stack.append(machine.top()),
    "F": operations.opaque_line,
    "I": operations.number_line,
    "L": operations.number_line,
    "J": operations.number(I4),
    "K": operations.number(U1),
    "M": operations.number(U2),
    "G": operations.number(F8),
    "N": operations.push(lambda: None),
    "P": operations.opaque_line,
    "Q": operations.persistent,
    "R": operations.call,
    "S": operations.text_line,
    "V": operations.text_line,
    "T": operations.text(U4),
    "U": operations.text(U1),
    "X": operations.text(U4),
    "a": operations.append,
    "b": operations.build,
    "c": operations.global_lines,
    "d": operations.dict_of_marked,
    "}": operations.push(dict),
    "e": operations.extend,
    "g": operations.get_line,
    "h": operations.get(U1),
    "j": operations.get(U4),
    "i": operations.instance_lines,
    "l": lambda machine: machine.stack.append(machine.marked()),
    "]": operations.push(list),
    "o": operations.instance_marked,
    "p": operations.put_line,
    "q": operations.put(U1),
    "r": operations.put(U4),
    "s": operations.set_item,
    "t": lambda machine: machine.stack.append(tuple(machine.marked())),
    ")": operations.push(tuple),
    "u": operations.set_items,
    "B": operations.opaque_bytes(U4),
    "C": operations.opaque_bytes(U1),
    0x80: operations.skip(1),  # the protocol's number
    0x81: operations.call,
    0x82: operations.extension(1),
    0x83: operations.extension(2),
    0x84: operations.extension(4),
    0x85: operations.tuple_of(1),
    0x86: operations.tuple_of(2),
    0x87: operations.tuple_of(3),
    0x88: operations.push(lambda: True),
    0x89: operations.push(lambda: False),
    0x8A: operations.long(U1),
    0x8B: operations.long(U4),
    0x8C: operations.text(U1),
    0x8D: operations.text(U8),
    0x8E: operations.opaque_bytes(U8),
    0x8F: operations.push(lambda: Made("set")),
    0x90: operations.extend,
    0x91: lambda machine: machine.stack.append(Made("frozenset", [machine.marked()])),
    0x92: operations.call_named,
    0x93: operations.global_stack,
    0x94: operations.memoize,
    0x95: operations.skip(8),  # the length of a frame
    0x96: operations.opaque_bytes(U8),
    0x97: operations.push(lambda: OPAQUE),  # a buffer that lies elsewhere
    0x98: lambda machine: machine.top(),
}
OPERATIONS: list[Operation | None] = [NAMED.get(code) or NAMED.get(chr(code)) for code in range(256)]


def run(machine: Machine) -> Any:
    """Go on to the end of the pickle, and give what it describes; the machine is behind it then.

    :raises Malformed: it breaks the format or goes beyond the bounds
    """
    data = machine.data
    for _ in range(OPCODES):
        try:
            code = data[machine.at]
        except IndexError:
            raise CutOff("it breaks off") from None
        machine.at += 1
        if code == STOP:
            return machine.pop()
        operation = OPERATIONS[code]
        if operation is None:
            raise Malformed(f"it has the unknown opcode {code}")
        operation(machine)
    raise Malformed(f"it has more than {OPCODES} opcodes")
