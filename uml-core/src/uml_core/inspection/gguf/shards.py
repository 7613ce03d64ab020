"""A model that was split into several GGUF files: ``name-00001-of-00003.gguf`` and its like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.gguf.header import Header, read_header

PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE)


def first_shard(path: Path) -> Path:
    """The file that holds the metadata of the set which *path* is named as a part of; *path* if it's no such name."""
    part = PART.fullmatch(path.name)
    return _sibling(path, part, 1) if part and 1 <= int(part["number"]) <= int(part["count"]) else path


def read_shards(first: Path, header: Header) -> dict[Path, Header]:
    """Read the other parts of the set that starts with *first*.

    :raises InvalidModelFileError: a part is missing, broken, or of another set
    """
    count = header.metadata.get("split.count", 1)
    if count in (0, 1):
        return {}
    part = PART.fullmatch(first.name)
    if part is None or int(part["count"]) != count:
        raise InvalidModelFileError(
            f"'{shown(first.name)}' is one of {shown(repr(count))} parts, but its name doesn't say so; "
            "give the parts the names that they were made with"
        )
    shards = {first: header}
    for number in range(2, count + 1):
        path = _sibling(first, part, number)
        if not path.exists():
            raise InvalidModelFileError(
                f"'{shown(path.name)}', part {number} of {count} of this model, is missing; download it too"
            )
        shards[path] = read_header(path)
    _check_set(shards, count)
    return shards


def _sibling(path: Path, part: re.Match[str], number: int) -> Path:
    return path.with_name(f"{part['stem']}-{number:05}-of-{part['count']}{part['suffix']}")


def _check_set(shards: Mapping[Path, Header], count: int) -> None:
    names: set[str] = set()
    for number, (path, header) in enumerate(shards.items()):
        mine = {tensor.name for tensor in header.tensors}
        told = header.metadata.get("split.no"), header.metadata.get("split.count")
        if told != (number, count) or names & mine:
            raise InvalidModelFileError(
                f"'{shown(path.name)}' is not part {number + 1} of {count} of this model; download it again"
            )
        names |= mine
        total = header.metadata.get("split.tensors.count", len(names))
    if total != len(names):
        raise InvalidModelFileError(
            f"the {count} parts of '{shown(path.name)}' hold {len(names)} tensors, not {shown(repr(total))}; "
            "they are not all of one model: download them again"
        )
