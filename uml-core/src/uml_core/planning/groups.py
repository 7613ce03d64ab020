"""Which devices a model may be put on together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from uml_core.errors import InvalidOptionsError
from uml_core.planning.places import Group, Split
from uml_core.planning.subject import Subject
from uml_core.types import Device

NEARLY = 0.95


def groups_of(subject: Subject) -> tuple[Group, ...]:
    """The devices that may be used together: one alone is liked best, that with the most room first.

    Several are of one kind, in the order of the engine.

    :raises InvalidOptionsError: an option names devices that there are not
    """
    if not subject.devices:
        return ()
    kinds = dict.fromkeys(device.kind for device in subject.devices)
    return _said(subject) or tuple(dict.fromkeys(group for kind in kinds for group in _together(subject, kind)))


def _said(subject: Subject) -> tuple[Group, ...]:
    """The only group, where an option says so."""
    shares, main = subject.knobs.said("split"), subject.knobs.said("main_device")
    if not shares and main is None:
        return ()
    used = [index for index, share in enumerate(shares) if share] if shares else [main]
    if group := tuple(device.id for device in subject.devices if device.index in used):
        return (group,)
    (name,) = subject.knobs.names("split" if shares else "main_device")
    there = ", ".join(device.id for device in subject.devices)
    raise InvalidOptionsError(f"the option '{name}' names no device that may be used; there are: {there}", param=name)


def split_of(subject: Subject, groups: tuple[Group, ...]) -> Split:
    """The shares that somebody said, of the devices that get any."""
    shares = subject.knobs.said("split")
    indexes = {device.id: device.index for device in subject.devices}
    return tuple(float(shares[indexes[device]]) for device in groups[0]) if shares and groups else ()


def _together(subject: Subject, kind: str) -> Iterator[Group]:
    mine = [device for device in subject.devices if device.kind == kind]
    room = {device.id: subject.budgets.on(device.id).budget_bytes for device in mine}
    strictly = sorted(mine, key=lambda device: -room[device.id])
    calmly = list(_calm(mine, room))
    yield from ((device.id,) for device in calmly)
    for count in range(2, len(mine) + 1) if subject.knobs.has("split") else ():
        for ranked in (calmly, strictly):
            yield tuple(device.id for device in sorted(ranked[:count], key=lambda device: device.index))


def _calm(devices: Sequence[Device], room: Mapping[str, int]) -> Iterator[Device]:
    """Those with more room first; of nearly as much the first one, or else a few bytes would change a plan."""
    left = list(devices)
    while left:
        most = max(room[device.id] for device in left)
        yield (best := next(device for device in left if room[device.id] >= most * NEARLY))
        left.remove(best)
