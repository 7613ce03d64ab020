"""What of a process's memory is a model's files, and what is its own: the kernel's list of mappings (Linux)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from os import major, minor
from pathlib import Path

from attrs import frozen

from uml_core.host.cgroup import PROCESSES

_LINE = re.compile(
    rb"^(?:[0-9a-f]+-[0-9a-f]+ \S+ \S+ (?P<device>\S+) (?P<inode>\d+) *(?P<path>.*)"
    rb"|(?P<name>Size|Rss|Pss|Anonymous|Private_Hugetlb): +(?P<kb>\d+) kB)$",
    re.MULTILINE,
)
_SHARED = (b"/dev/zero", b"/memfd:", b"/dev/shm/", b"/SYSV")
"""Memory without a file, though it has a name: pinned buffers, and what processes pass to each other."""


@frozen(kw_only=True)
class MappedMemory:
    """Memory of some processes, in bytes.

    ``files_bytes`` of the given files are in RAM, by the pages of the process that has most of each; the mappings of
    these pages have ``mapped_bytes``. ``private_bytes`` is anonymous memory, huge pages, and the tree's share of memory
    that has a name but no file.
    """

    files_bytes: int = 0
    mapped_bytes: int = 0
    private_bytes: int = 0


@frozen
class _Mapping:
    device: bytes
    inode: bytes
    path: bytes
    size_bytes: int
    resident_bytes: int
    share_bytes: int
    anonymous_bytes: int
    huge_bytes: int


def measure_mappings(pids: Iterable[int], files: Collection[Path], *, proc: Path = PROCESSES) -> MappedMemory | None:
    """Measure processes; None where no list can be read: they are gone or not ours, or the system keeps none.

    Blocks for about 10 ms a gigabyte, as the kernel looks at each mapped page.

    :param files: the model's
    """
    marks = {mark for file in files for mark in _marks(file)}
    by_pid = [list(found) for pid in dict.fromkeys(pids) if (found := _read(proc / str(pid) / "smaps")) is not None]
    if not any(by_pid):
        return None
    each = [_of_files(mappings, marks) for mappings in by_pid]
    names = {name for one in each for name in one}
    most = [max((one.get(name, (0, 0)) for one in each), default=(0, 0)) for name in names]
    return MappedMemory(
        files_bytes=sum(resident for resident, _ in most),
        mapped_bytes=sum(size for _, size in most),
        private_bytes=sum(_private(mapping, marks) for mappings in by_pid for mapping in mappings),
    )


def _of_files(mappings: Iterable[_Mapping], marks: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
    """Resident and mapped bytes of each file in one process; a page that was written to is the process's own."""
    found: dict[bytes, tuple[int, int]] = {}
    for mapping in mappings:
        if _is_one_of(mapping, marks):
            resident, size = found.get(mapping.path, (0, 0))
            here = mapping.resident_bytes - mapping.anonymous_bytes
            found[mapping.path] = resident + here, size + mapping.size_bytes
    return found


def _private(mapping: _Mapping, marks: Collection[bytes]) -> int:
    named = mapping.path.startswith(_SHARED) and not _is_one_of(mapping, marks)
    return mapping.huge_bytes + (mapping.share_bytes if named else mapping.anonymous_bytes)


def _is_one_of(mapping: _Mapping, marks: Collection[bytes]) -> bool:
    return mapping.path in marks or b"%b %b" % (mapping.device, mapping.inode) in marks


def _marks(file: Path) -> Iterator[bytes]:
    """By what a mapping of *file* is known: its path, and, for who has another name for it, device and inode."""
    try:
        place, facts = file.resolve(), file.stat()
    except OSError:
        return
    yield str(place).encode("utf-8", "surrogateescape")
    yield b"%02x:%02x %d" % (major(facts.st_dev), minor(facts.st_dev), facts.st_ino)


def _read(path: Path) -> Iterator[_Mapping] | None:
    try:
        return _mappings(path.read_bytes())
    except OSError:
        return None


def _mappings(data: bytes) -> Iterator[_Mapping]:
    place: tuple[bytes, bytes, bytes] | None = None
    sizes: dict[bytes, int] = {}
    for found in _LINE.finditer(data):
        if name := found["name"]:
            sizes[name] = int(found["kb"]) * 1024
            continue
        if place:
            yield _mapping(place, sizes)
        place, sizes = (found["device"], found["inode"], found["path"]), {}
    if place:
        yield _mapping(place, sizes)


def _mapping(place: tuple[bytes, bytes, bytes], sizes: dict[bytes, int]) -> _Mapping:
    names = (b"Size", b"Rss", b"Pss", b"Anonymous", b"Private_Hugetlb")
    return _Mapping(*place, *(sizes.get(name, 0) for name in names))
