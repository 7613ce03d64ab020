"""What a worker was seen to hold, sorted by kind.

Seen are sums: pages of the model's files, the process's own memory, what the driver says of a device. Its engine's log
may tell of kinds. What neither tells of is taken as predicted, but for one kind on each device, which is what remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from uml_core.host.mappings import MappedMemory
from uml_core.types import HOST, MemoryEstimate, MemoryKind, MemoryPart

HEADER = 0.05
"""A mapping and what is predicted of it may differ by so much: by the header, and by what was unmapped again."""
Told = Mapping[tuple[str, MemoryKind], int]
Found = tuple[MemoryPart, bool]
"""A part, and whether it was measured: else it is as predicted, and says nothing new."""


@frozen(kw_only=True)
class Seen:
    """One look at a worker, in bytes.

    ``overhead_bytes`` is what it says that it held with nothing loaded, ``told`` what its engine's log says, and
    ``on_devices`` what it holds in all on each device that can be asked, by the device's id.
    """

    memory: MappedMemory
    overhead_bytes: int | None = None
    told: Told = field(factory=dict)
    on_devices: Mapping[str, int] = field(factory=dict)


def by_kind(seen: Seen, predicted: MemoryEstimate) -> tuple[Found, ...]:
    """Sort what was *seen* by device and kind.

    :param predicted: what the formula said of this load
    """
    devices = dict.fromkeys((*predicted.devices, *seen.on_devices, *(device for device, _ in seen.told)))
    found = [*_of_host(seen, predicted)]
    for device in devices:
        if device != HOST:
            found += _of_device(device, seen, predicted)
    return tuple((part, known) for part, known in found if part.size_bytes or known)


def _of_host(seen: Seen, predicted: MemoryEstimate) -> Iterator[Found]:
    said = _said(HOST, predicted)
    overhead, noted = _overhead(seen, said)
    grown = max(0, seen.memory.private_bytes - overhead)
    copied, told = _copied(seen, said)
    copied = min(copied, grown)
    cache_told = (HOST, "kv_cache") in seen.told
    cache = seen.told.get((HOST, "kv_cache"), said["kv_cache"])
    rest = grown - copied - cache
    yield _part(HOST, "weights", seen.memory.files_bytes + copied), told
    yield _part(HOST, "kv_cache", min(cache, grown - copied)), cache_told and rest >= 0
    # A cache that is smaller than predicted has not grown yet, or is kept elsewhere: nothing is known of the rest then.
    yield _part(HOST, "compute", max(0, rest)), rest >= 0
    yield _part(HOST, "overhead", min(overhead, seen.memory.private_bytes)), noted


def _overhead(seen: Seen, said: Mapping[MemoryKind, int]) -> tuple[int, bool]:
    noted = seen.overhead_bytes if seen.overhead_bytes is not None else seen.told.get((HOST, "overhead"))
    return (said["overhead"], False) if noted is None else (noted, True)


def _copied(seen: Seen, said: Mapping[MemoryKind, int]) -> tuple[int, bool]:
    """Weights that were read or rearranged into memory of the process, beside those that are mapped."""
    told = seen.told.get((HOST, "weights"))
    if told is not None:
        return max(0, told - seen.memory.mapped_bytes), True
    copied = max(0, said["weights"] - seen.memory.mapped_bytes)
    return (0, True) if copied < said["weights"] * HEADER else (copied, False)


def _of_device(device: str, seen: Seen, predicted: MemoryEstimate) -> Iterator[Found]:
    said, total = _said(device, predicted), seen.on_devices.get(device)
    told: dict[MemoryKind, int] = {
        kind: size for (where, kind), size in seen.told.items() if where == device and kind != "overhead"
    }
    rest: MemoryKind = "overhead" if told else "compute"
    others: tuple[MemoryKind, ...] = ("weights", "kv_cache", "compute" if told else "overhead")
    sizes = {kind: told.get(kind, 0 if told else said[kind]) for kind in others}
    for kind, size in sizes.items():
        yield _part(device, kind, size), kind in told
    if total is not None:
        remains = total - sum(sizes.values())
        yield _part(device, rest, max(0, remains)), remains >= 0


def _said(device: str, predicted: MemoryEstimate) -> dict[MemoryKind, int]:
    kinds: tuple[MemoryKind, ...] = ("weights", "kv_cache", "compute", "overhead")
    return dict.fromkeys(kinds, 0) | {part.kind: part.size_bytes for part in predicted.on(device)}


def _part(device: str, kind: MemoryKind, size_bytes: int) -> MemoryPart:
    return MemoryPart.exact(device, kind, size_bytes, source="measured")
