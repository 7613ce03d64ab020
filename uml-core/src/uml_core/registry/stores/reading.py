"""Read the small files that other programs keep beside their models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import open_model_file, shown
from uml_core.registry.unreadable import unreadable
from uml_core.types import Unreadable

MOST_BYTES = 4 * 2**20


def read_text(path: Path, *, most_bytes: int = MOST_BYTES) -> str:
    """The text of a regular file.

    :raises InvalidModelFileError: it can't be read, is too large, or no text
    """
    with open_model_file(path) as (file, size_bytes):
        if size_bytes > most_bytes:
            raise InvalidModelFileError(f"'{shown(path.name)}' has {size_bytes:,} bytes, which is too much to be true")
        content = file.read(most_bytes) or b""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidModelFileError(f"'{shown(path.name)}' is no text") from None


def read_json(path: Path) -> dict[str, object]:
    """The JSON object in a file.

    :raises InvalidModelFileError: it can't be read, or is no JSON object
    """
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidModelFileError(f"'{shown(path.name)}' is no JSON object")
    return found


def setting(path: Path, key: str) -> str | None:
    """The text that a program's settings, a JSON object, have under *key*; None if they can't be read."""
    try:
        value = read_json(path).get(key)
    except InvalidModelFileError:
        return None
    return value if isinstance(value, str) else None


def value_in(text: str, key: str, *, separator: str) -> str | None:
    """The value of the first line ``key<separator>value`` of *text* that begins without a space, without quotes."""
    pairs = _pairs(text.splitlines(), separator)
    return next((value.strip("\"'") for name, value in pairs if name == key), None) or None


def _pairs(lines: list[str], separator: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, found, value = line.partition(separator)
        if found and not name.startswith((" ", "\t", "#")):
            yield name.strip(), value.strip()


def entries(
    folder: Path, problems: list[Unreadable], *, store: str, way_out: str | None = None
) -> list[os.DirEntry[str]]:
    """What lies in *folder* under names that can be shown, sorted; why it can't be read is put into *problems*."""
    try:
        with os.scandir(folder) as listing:
            found = [entry for entry in listing if not entry.name.startswith(".") and entry.name.isprintable()]
    except OSError as error:
        problems += filter(None, [unreadable(folder, error, store=store, way_out=way_out)])
        return []
    return sorted(found, key=lambda entry: entry.name)
