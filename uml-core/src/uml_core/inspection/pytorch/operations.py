"""What the opcodes of a pickle do to a machine. Nothing is imported, called or made."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from uml_core.inspection.pytorch.machine import OPAQUE, Machine, Malformed
from uml_core.inspection.pytorch.rebuild import rebuild, stored
from uml_core.inspection.pytorch.values import Made

Operation = Callable[[Machine], object]
U1, U2, U4, U8, I4, F8 = (Struct(layout) for layout in ("<B", "<H", "<I", "<Q", "<i", ">d"))


def push(value: Callable[[], Any]) -> Operation:
    return lambda machine: machine.stack.append(value())


def number(layout: Struct) -> Operation:
    return lambda machine: machine.stack.append(machine.number(layout))


def long(layout: Struct) -> Operation:
    def operation(machine: Machine) -> None:
        data = machine.take(machine.number(layout))
        machine.stack.append(int.from_bytes(data, "little", signed=True) if len(data) <= 16 else OPAQUE)

    return operation


def text(layout: Struct) -> Operation:
    return lambda machine: machine.stack.append(machine.text(machine.number(layout)))


def opaque_bytes(layout: Struct) -> Operation:
    def operation(machine: Machine) -> None:
        machine.take(machine.number(layout))
        machine.stack.append(OPAQUE)

    return operation


def text_line(machine: Machine) -> None:
    machine.stack.append(machine.line().strip("'\""))


def number_line(machine: Machine) -> None:
    line = machine.line().rstrip("L")
    words = {"00": False, "01": True}
    machine.stack.append(words[line] if line in words else int(line) if line.isdecimal() and len(line) < 20 else OPAQUE)


def opaque_line(machine: Machine) -> None:
    machine.line()
    machine.stack.append(OPAQUE)


def skip(length: int) -> Operation:
    return lambda machine: machine.take(length) and None


def pop(machine: Machine) -> None:
    if not machine.stack:
        raise Malformed("it takes more from its stack than is there")
    machine.stack.pop()


def get(layout: Struct) -> Operation:
    return lambda machine: _recall(machine, machine.number(layout))


def get_line(machine: Machine) -> None:
    _recall(machine, _place(machine))


def _recall(machine: Machine, place: int) -> None:
    try:
        machine.stack.append(machine.memo[place])
    except KeyError:
        raise Malformed("it recalls what it never noted") from None


def put(layout: Struct) -> Operation:
    def operation(machine: Machine) -> None:
        machine.memo[machine.number(layout)] = machine.top()

    return operation


def put_line(machine: Machine) -> None:
    machine.memo[_place(machine)] = machine.top()


def _place(machine: Machine) -> int:
    line = machine.line()
    if not line.isdecimal() or len(line) > 12:
        raise Malformed("it numbers its notes with something else than numbers")
    return int(line)


def memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.top()


def tuple_of(count: int) -> Operation:
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


def dict_of_marked(machine: Machine) -> None:
    items: dict[Any, Any] = {}
    _pairs(items, machine.marked())
    machine.stack.append(items)


def set_items(machine: Machine) -> None:
    items = machine.marked()
    _pairs(machine.top(), items)


def set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine.top(), key, value)


def append(machine: Machine) -> None:
    value = machine.pop()
    _add(machine.top(), [value])


def extend(machine: Machine) -> None:
    items = machine.marked()
    _add(machine.top(), items)


def global_lines(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.stack.append(machine.named(module, name))


def global_stack(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(machine.named(module, name))


def call(machine: Machine) -> None:
    given, by = machine.pop(), machine.pop()
    machine.stack.append(rebuild(by, given))


def call_named(machine: Machine) -> None:
    machine.pop()
    call(machine)


def instance_lines(machine: Machine) -> None:
    by = machine.named(machine.line(), machine.line())
    machine.stack.append(rebuild(by, tuple(machine.marked())))


def instance_marked(machine: Machine) -> None:
    items = machine.marked()
    machine.stack.append(rebuild(items[0], tuple(items[1:])) if items else OPAQUE)


def build(machine: Machine) -> None:
    """Give an object its state."""
    state = machine.pop()
    target = machine.top()
    if isinstance(target, Made) and target is not OPAQUE:
        target.parts.append(state)


def persistent(machine: Machine) -> None:
    machine.stack.append(stored(machine.pop()) or OPAQUE)


def extension(length: int) -> Operation:
    def operation(machine: Machine) -> None:
        machine.stack.append(machine.named("copyreg", f"extension {int.from_bytes(machine.take(length), 'little')}"))

    return operation
