"""Read JSON that nobody vouches for: so many bytes, so deep, so many values, and no key that two readers differ on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import open_model_file, shown

FILE_BYTES = 16 * 2**20
DEPTH = 64
MARKS = 2 * 2**20  # brackets, commas and colons: each may stand for a value of 72 bytes
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # possessive, its end optional: linear on any bytes
NO_MARKS = bytes(set(range(256)) - set(b"[]{},:"))
ONE_KIND = bytes.maketrans(b"{}", b"[]")


class NotJSON(Exception):
    """The bytes are no JSON that is read here; the text is the reason, without the file's name."""


def read_json(path: Path, *, most_bytes: int = FILE_BYTES) -> Any:
    """Read the JSON file *path*; a larger one is not even opened for reading.

    :raises InvalidModelFileError: it can't be read, is no JSON, or is beyond the bounds
    """
    name = shown(path.name)
    with open_model_file(path) as (file, size_bytes):
        if size_bytes > most_bytes:
            raise InvalidModelFileError(
                f"'{name}' has {size_bytes} bytes, but such a file may have {most_bytes}; download it again"
            )
        data = file.read(most_bytes)
    try:
        return parse_json(data)
    except NotJSON as error:
        raise InvalidModelFileError(f"'{name}' can't be read as JSON: {error}; download it again") from None


def read_object(path: Path, *, most_bytes: int = FILE_BYTES) -> dict[str, Any]:
    """Read the JSON file *path*, which must hold an object.

    :raises InvalidModelFileError: as :func:`read_json`, or it is something else
    """
    value = read_json(path, most_bytes=most_bytes)
    if not isinstance(value, dict):
        raise InvalidModelFileError(f"'{shown(path.name)}' holds no JSON object; download it again")
    return value


def parse_json(data: bytes, *, most_marks: int = MARKS, constants: bool = True) -> Any:
    """Parse *data*; a key that is there twice must have the same value both times.

    :param constants: Python's words ``NaN`` and ``Infinity`` are numbers, as many configurations hold them
    :raises NotJSON: it breaks JSON, or one of the bounds
    """
    if data.count(b"[") + data.count(b"{") > DEPTH:
        _check_bounds(data, most_marks)
    elif len(data) > most_marks:
        _check_count(data, most_marks)
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=None if constants else _refuse
        )
    except UnicodeDecodeError:
        raise NotJSON("it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise NotJSON(f"it breaks off or breaks the syntax ({shown(str(error))})") from None


def _check_bounds(data: bytes, most_marks: int) -> None:
    """Count depth and values without making any: nested brackets would exhaust the stack, empty ones the memory."""
    brackets = _check_count(data, most_marks).translate(ONE_KIND, b",:")
    for _ in range(DEPTH + 1):
        if b"[" * (DEPTH + 1) in brackets:
            break
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            return
        brackets = inner
    raise NotJSON(f"it is nested deeper than {DEPTH} levels")


def _check_count(data: bytes, most_marks: int) -> bytes:
    too_many = NotJSON(f"it holds more than {most_marks} values and marks")
    if data.count(b'"') > most_marks:
        raise too_many
    marks = STRING.sub(b"", data).translate(None, NO_MARKS)
    if len(marks) > most_marks:
        raise too_many
    return marks


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    for key, one in pairs:
        if value[key] != one:
            raise NotJSON(f"the key '{shown(key)}' is there twice, with different values")
    return value


def _refuse(constant: str) -> None:
    raise NotJSON(f"{constant} is no JSON number")
