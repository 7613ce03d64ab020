"""A model that was split into several GGUF files: ``name-00001-of-00003.gguf`` and its like."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.gguf.header import Header, read_header

PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE)
PARTS = 1024  # of 1 GB each it is larger than any model


@frozen(kw_only=True)
class Shards:
    """The parts of a model that are there, in their order, and the names of those that are not."""

    headers: Mapping[Path, Header]
    missing: tuple[str, ...] = ()


def first_shard(path: Path) -> Path:
    """The file that holds the metadata of the set which *path* is named as a part of; *path* if it's no such name."""
    part = PART.fullmatch(path.name)
    return _sibling(path, part, 1) if part and 1 <= int(part["number"]) <= int(part["count"]) else path


def read_shards(path: Path) -> Shards:
    """Read the headers of all parts of the set that *path* is one of, or of the one file.

    :raises InvalidModelFileError: a part that is there can't be read, is broken, or is of another set
    """
    first = first_shard(path)
    asked = first if os.path.exists(first) else path  # noqa: PTH110 - Path.exists raises for some folders
    header = read_header(asked)
    count = header.metadata.get("split.count", 1)
    if count in (0, 1):
        return Shards(headers={asked: header})
    names = _names(asked, count)
    parts = [
        (number, path, header if path == asked else read_header(path))
        for number, path in enumerate(names)
        if os.path.exists(path)  # noqa: PTH110
    ]
    _check_set(parts, count=len(names))
    headers = {path: header for _, path, header in parts}
    return Shards(headers=headers, missing=tuple(path.name for path in names if path not in headers))


def _names(path: Path, count: object) -> list[Path]:
    part = PART.fullmatch(path.name)
    if part is None or int(part["count"]) != count or not 1 <= int(part["number"]) <= count:
        raise InvalidModelFileError(
            f"'{shown(path.name)}' is one of {shown(repr(count))} parts, but its name doesn't say so; "
            "give the parts the names that they were made with"
        )
    if count > PARTS:
        raise InvalidModelFileError(
            f"'{shown(path.name)}' is said to be one of {count} parts, of which {PARTS} are allowed; download it again"
        )
    return [_sibling(path, part, number) for number in range(1, count + 1)]


def _sibling(path: Path, part: re.Match[str], number: int) -> Path:
    return path.with_name(f"{part['stem']}-{number:05}-of-{part['count']}{part['suffix']}")


def _check_set(parts: Sequence[tuple[int, Path, Header]], *, count: int) -> None:
    names: set[str] = set()
    total: object = None
    for number, path, header in parts:
        mine = {tensor.name for tensor in header.tensors}
        told = header.metadata.get("split.no"), header.metadata.get("split.count")
        if told != (number, count) or names & mine:
            raise InvalidModelFileError(
                f"'{shown(path.name)}' is not part {number + 1} of {count} of this model; download it again"
            )
        names |= mine
        total = header.metadata.get("split.tensors.count", total)
    if len(parts) == count and total not in (None, len(names)):
        raise InvalidModelFileError(
            f"the {count} parts of '{shown(parts[-1][1].name)}' hold {len(names)} tensors, not {shown(repr(total))}; "
            "they are not all of one model: download them again"
        )
