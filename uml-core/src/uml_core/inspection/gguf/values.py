"""The values of the metadata: short ones are kept, long ones stay in the file and are read when asked for."""

from __future__ import annotations

from pathlib import Path
from struct import Struct

from attrs import frozen

from uml_core.inspection.gguf.cursor import LENGTH, STRING_BYTES, Cursor, Malformed, open_cursor
from uml_core.inspection.gguf.strings import skip_strings
from uml_core.inspection.gguf.tables import ARRAY, SCALARS, STRING, TYPE_NAMES

KEPT_STRING_BYTES = 2**20
KEPT_ARRAY_BYTES = 4096
OBJECT_BYTES = 32  # what a number takes as an element of a tuple
ARRAY_ELEMENTS = 16 * 2**20
ARRAY_START = Struct("<IQ")


@frozen
class LeftInFile:
    """A value too long to keep: *count* elements of *type* from *offset* on; ``read_values`` reads them."""

    type: int
    count: int
    offset: int

    @property
    def type_name(self) -> str:
        return TYPE_NAMES[self.type]


def read_value(cursor: Cursor, type: int) -> object:
    """Read one value: a bool, int, float or str, a tuple of these, or what it takes to find it again."""
    if type == STRING:
        return _read_string(cursor)
    if type == ARRAY:
        return _read_array(cursor)
    return cursor.unpack(_layout(type))[0]


def read_values(path: Path, value: LeftInFile) -> tuple[object, ...]:
    """Read what was left in the file *path*.

    :raises InvalidModelFileError: the file can't be read any more, or is not the one that *value* came from
    """
    with open_cursor(path, start=value.offset) as cursor:
        return _read_elements(cursor, value)


def _layout(type: int) -> Struct:
    try:
        return SCALARS[type][1]
    except KeyError:
        raise Malformed(f"it has a value of the unknown type {type}") from None


def _read_string(cursor: Cursor) -> str | LeftInFile:
    start = cursor.position
    length = cursor.length(STRING_BYTES, "a string")
    if length > min(KEPT_STRING_BYTES, cursor.keeps_bytes):
        cursor.skip(length)
        return LeftInFile(STRING, 1, start)
    cursor.keeps_bytes -= length + OBJECT_BYTES
    return cursor.take(length).decode("utf-8", "replace")


def _read_array(cursor: Cursor) -> tuple[object, ...] | LeftInFile:
    type, count = cursor.unpack(ARRAY_START)
    if type == ARRAY:
        raise Malformed("it has an array of arrays, which no engine reads")
    smallest = LENGTH.size if type == STRING else _layout(type).size
    if count > ARRAY_ELEMENTS or count * smallest > cursor.remaining:
        raise Malformed(f"it has an array of {count} elements, which is more than it can hold")
    array = LeftInFile(type, count, cursor.position)
    if type == STRING:
        skip_strings(cursor, count)
    else:
        cursor.skip(count * smallest)
    if cursor.position - array.offset > min(KEPT_ARRAY_BYTES, cursor.keeps_bytes):
        return array
    cursor.keeps_bytes -= count * OBJECT_BYTES
    cursor.back_to(array.offset)
    return _read_elements(cursor, array)


def _read_elements(cursor: Cursor, array: LeftInFile) -> tuple[object, ...]:
    if array.type == STRING:
        lengths = (cursor.length(STRING_BYTES, "a string") for _ in range(array.count))
        return tuple(cursor.take(length).decode("utf-8", "replace") for length in lengths)
    layout = Struct(f"<{array.count}{_layout(array.type).format[1:]}")
    return cursor.unpack(layout)
