"""Walk through the opcodes of a pickle and note what it describes. Nothing is imported, called or made.

Source: CPython's ``pickletools.py``, which describes each opcode of the protocols 0 to 5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct
from typing import Any

from uml_core.inspection.pytorch.rebuild import rebuild, stored
from uml_core.inspection.pytorch.values import Global, Made

OPCODES = 1_000_000
TEXT_BYTES = 4096
GLOBALS = 1000
U2, U4, U8, I4, F8 = Struct("<H"), Struct("<I"), Struct("<Q"), Struct("<i"), Struct(">d")
MARK = object()
OPAQUE = Made("opaque")
"""Stands for every value that nothing here depends on."""


class Malformed(Exception):
    """The bytes are no pickle; the text is the reason, without the file's name."""


class CutOff(Malformed):
    """The bytes end before the pickle does."""


class Machine:
    """One pass over the pickle that starts at *at* in *data*."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.globals: dict[Global, None] = {}

    def run(self) -> Any:
        """Go on to the end of the pickle, and give what it describes; ``at`` is behind it then.

        :raises Malformed: it breaks the format or goes beyond the bounds
        """
        data, operations = self.data, OPERATIONS
        for _ in range(OPCODES):
            try:
                code = data[self.at]
            except IndexError:
                raise CutOff("it breaks off") from None
            self.at += 1
            if code == STOP:
                return self.pop()
            operation = operations[code]
            if operation is None:
                raise Malformed(f"it has the unknown opcode {code}")
            operation(self)
        raise Malformed(f"it has more than {OPCODES} opcodes")

    def take(self, length: int) -> bytes:
        at = self.at
        self.at = at + length
        if self.at > len(self.data):
            raise CutOff("it breaks off")
        return self.data[at : self.at]

    def number(self, layout: Struct) -> Any:
        at = self.at
        self.at = at + layout.size
        try:
            return layout.unpack_from(self.data, at)[0]
        except struct.error:
            raise CutOff("it breaks off") from None

    def text(self, length: int) -> str | Made:
        """A string of *length* bytes; what is too long for a name is opaque."""
        data = self.take(length)
        return data.decode("utf-8", "replace") if length <= TEXT_BYTES else OPAQUE

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + TEXT_BYTES)
        if end < 0:
            at_end = self.at + TEXT_BYTES > len(self.data)
            raise CutOff("it breaks off") if at_end else Malformed("it has a line without an end")
        line = self.data[self.at : end]
        self.at = end + 1
        return line.decode("utf-8", "replace")

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise Malformed("it takes more from its stack than is there")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise Malformed("it takes more from its stack than is there")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """Everything above the last mark."""
        stack = self.stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is MARK:
                found = stack[at + 1 :]
                del stack[at:]
                return found
        raise Malformed("it goes back to a mark that is not there")

    def named(self, module: object, name: object) -> Global | Made:
        if not isinstance(module, str) or not isinstance(name, str):
            return OPAQUE
        found = Global(module[:200], name[:200])
        if len(self.globals) < GLOBALS:
            self.globals[found] = None
        return found


def _push(value: Callable[[], Any]) -> Operation:
    return lambda machine: machine.stack.append(value())


def _number(layout: Struct) -> Operation:
    return lambda machine: machine.stack.append(machine.number(layout))


def _long(layout: Struct) -> Operation:
    def operation(machine: Machine) -> None:
        data = machine.take(machine.number(layout))
        machine.stack.append(int.from_bytes(data, "little", signed=True) if len(data) <= 16 else OPAQUE)

    return operation


def _text(layout: Struct) -> Operation:
    return lambda machine: machine.stack.append(machine.text(machine.number(layout)))


def _bytes(layout: Struct) -> Operation:
    def operation(machine: Machine) -> None:
        machine.take(machine.number(layout))
        machine.stack.append(OPAQUE)

    return operation


def _text_line(machine: Machine) -> None:
    machine.stack.append(machine.line().strip("'\""))


def _number_line(machine: Machine) -> None:
    line = machine.line().rstrip("L")
    words = {"00": False, "01": True}
    machine.stack.append(words[line] if line in words else int(line) if line.isdecimal() and len(line) < 20 else OPAQUE)


def _opaque_line(machine: Machine) -> None:
    machine.line()
    machine.stack.append(OPAQUE)


def _skip(length: int) -> Operation:
    return lambda machine: machine.take(length) and None


def _pop(machine: Machine) -> None:
    if not machine.stack:
        raise Malformed("it takes more from its stack than is there")
    machine.stack.pop()


def _get(layout: Struct) -> Operation:
    return lambda machine: _recall(machine, machine.number(layout))


def _get_line(machine: Machine) -> None:
    _recall(machine, _place(machine))


def _recall(machine: Machine, place: int) -> None:
    try:
        machine.stack.append(machine.memo[place])
    except KeyError:
        raise Malformed("it recalls what it never noted") from None


def _put(layout: Struct) -> Operation:
    def operation(machine: Machine) -> None:
        machine.memo[machine.number(layout)] = machine.top()

    return operation


def _put_line(machine: Machine) -> None:
    machine.memo[_place(machine)] = machine.top()


def _place(machine: Machine) -> int:
    line = machine.line()
    if not line.isdecimal() or len(line) > 12:
        raise Malformed("it numbers its notes with something else than numbers")
    return int(line)


def _memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.top()


def _tuple(count: int) -> Operation:
    def operation(machine: Machine) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(reversed(items)))

    return operation


def _pairs(target: Any, items: list[Any]) -> None:
    for key, value in zip(items[::2], items[1::2], strict=False):
        _set(target, key, value)


def _set(target: Any, key: Any, value: Any) -> None:
    """Only plain keys are kept: the hash of nested tuples takes exponential time."""
    if isinstance(target, dict):
        target[key if isinstance(key, (str, int)) else id(key)] = value
    elif isinstance(target, Made) and target is not OPAQUE:
        target.parts.append({key if isinstance(key, (str, int)) else id(key): value})


def _add(target: Any, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Made) and target is not OPAQUE:
        target.parts.append(items)


def _dict(machine: Machine) -> None:
    items: dict[Any, Any] = {}
    _pairs(items, machine.marked())
    machine.stack.append(items)


def _set_items(machine: Machine) -> None:
    items = machine.marked()
    _pairs(machine.top(), items)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine.top(), key, value)


def _append(machine: Machine) -> None:
    value = machine.pop()
    _add(machine.top(), [value])


def _extend(machine: Machine) -> None:
    items = machine.marked()
    _add(machine.top(), items)


def _global_lines(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.stack.append(machine.named(module, name))


def _global_stack(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(machine.named(module, name))


def _call(machine: Machine) -> None:
    given, by = machine.pop(), machine.pop()
    machine.stack.append(rebuild(by, given))


def _call_named(machine: Machine) -> None:
    machine.pop()
    _call(machine)


def _instance_lines(machine: Machine) -> None:
    by = machine.named(machine.line(), machine.line())
    machine.stack.append(rebuild(by, tuple(machine.marked())))


def _instance_marked(machine: Machine) -> None:
    items = machine.marked()
    machine.stack.append(rebuild(items[0], tuple(items[1:])) if items else OPAQUE)


def _build(machine: Machine) -> None:
    """Give an object its state."""
    state = machine.pop()
    target = machine.top()
    if isinstance(target, Made) and target is not OPAQUE:
        target.parts.append(state)


def _persistent(machine: Machine) -> None:
    machine.stack.append(stored(machine.pop()) or OPAQUE)


def _extension(length: int) -> Operation:
    def operation(machine: Machine) -> None:
        machine.stack.append(machine.named("copyreg", f"extension {int.from_bytes(machine.take(length), 'little')}"))

    return operation


Operation = Callable[[Machine], object]
U1 = Struct("<B")
STOP = ord(".")
NAMED: dict[str | int, Operation] = {
    "(": _push(lambda: MARK),
    "0": _pop,
    "1": lambda machine: machine.marked(),
    "2": lambda machine: machine.stack.append(machine.top()),
    "F": _opaque_line,
    "I": _number_line,
    "L": _number_line,
    "J": _number(I4),
    "K": _number(U1),
    "M": _number(U2),
    "G": _number(F8),
    "N": _push(lambda: None),
    "P": _opaque_line,
    "Q": _persistent,
    "R": _call,
    "S": _text_line,
    "V": _text_line,
    "T": _text(U4),
    "U": _text(U1),
    "X": _text(U4),
    "a": _append,
    "b": _build,
    "c": _global_lines,
    "d": _dict,
    "}": _push(dict),
    "e": _extend,
    "g": _get_line,
    "h": _get(U1),
    "j": _get(U4),
    "i": _instance_lines,
    "l": lambda machine: machine.stack.append(machine.marked()),
    "]": _push(list),
    "o": _instance_marked,
    "p": _put_line,
    "q": _put(U1),
    "r": _put(U4),
    "s": _set_item,
    "t": lambda machine: machine.stack.append(tuple(machine.marked())),
    ")": _push(tuple),
    "u": _set_items,
    "B": _bytes(U4),
    "C": _bytes(U1),
    0x80: _skip(1),  # the protocol's number
    0x81: _call,
    0x82: _extension(1),
    0x83: _extension(2),
    0x84: _extension(4),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    0x88: _push(lambda: True),
    0x89: _push(lambda: False),
    0x8A: _long(U1),
    0x8B: _long(U4),
    0x8C: _text(U1),
    0x8D: _text(U8),
    0x8E: _bytes(U8),
    0x8F: _push(lambda: Made("set")),
    0x90: _extend,
    0x91: lambda machine: machine.stack.append(Made("frozenset", [machine.marked()])),
    0x92: _call_named,
    0x93: _global_stack,
    0x94: _memoize,
    0x95: _skip(8),  # the length of a frame
    0x96: _bytes(U8),
    0x97: _push(lambda: OPAQUE),  # a buffer that lies elsewhere
    0x98: lambda machine: machine.top(),
}
OPERATIONS: list[Operation | None] = [NAMED.get(code) or NAMED.get(chr(code)) for code in range(256)]
