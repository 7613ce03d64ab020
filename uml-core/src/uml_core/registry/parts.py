"""Files that are one model together: ``name-00001-of-00003.gguf`` and its like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from uml_core.registry.variants import PART


@frozen(kw_only=True)
class FileSet:
    """The files ``names`` of one folder, in the order of their parts; ``stem`` has neither part nor suffix."""

    stem: str
    suffix: str
    names: tuple[str, ...]
    size_bytes: int


def sets_of(sizes: Mapping[str, int], suffixes: tuple[str, ...]) -> list[FileSet]:
    """Put the parts of each model together.

    A set without its first part is one too, by the first that is there: its reader says what is missing.

    :param sizes: the bytes of each file of a folder, by its name; each ends with one of *suffixes*
    """
    names: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted(sizes):
        stem, suffix = split(name, suffixes)
        part = PART.fullmatch(stem)
        key = (part["base"], suffix, part["count"]) if part else (stem, suffix, "")
        names.setdefault(key, []).append(name)
    return [
        FileSet(stem=stem, suffix=suffix, names=tuple(found), size_bytes=sum(sizes[name] for name in found))
        for (stem, suffix, _), found in names.items()
    ]


def split(name: str, suffixes: tuple[str, ...]) -> tuple[str, str]:
    """*name* without the longest of *suffixes* that it ends with, in any case, and that suffix."""
    lower = name.lower()
    length = max((len(suffix) for suffix in suffixes if lower.endswith(suffix)), default=0)
    return (name[:-length], name[-length:]) if length else (name, "")


def parts_beside(path: Path) -> tuple[Path, ...]:
    """The files of the folder of *path* that belong to the same set, *path* among them; sorted by part."""
    part = PART.fullmatch(path.stem)
    if part is None:
        return (path,)
    found = [
        other
        for other in path.parent.iterdir()
        if other.suffix == path.suffix
        and (match := PART.fullmatch(other.stem))
        and (match["base"], match["count"]) == (part["base"], part["count"])
    ]
    return tuple(sorted({path, *found}))
