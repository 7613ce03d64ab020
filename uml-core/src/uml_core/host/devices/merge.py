"""One list of devices from what all sources said."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core.host.devices.answer import Answer
from uml_core.host.devices.found import Found
from uml_core.host.devices.identity import identities, with_uuid
from uml_core.host.devices.sources import PLUGIN
from uml_core.types import Device


def merged(answers: Iterable[Answer]) -> Found:
    """Each device once: as a plugin tells it, else as its maker's driver does, else as Vulkan does."""
    ranked = sorted(answers, key=_rank)
    found: list[Device] = []
    taken: set[str] = set()
    for answer in ranked:  # of one source all are kept: the parts of a device that was split share its address
        new = [device for device in answer.devices if not identities(device) & taken]
        taken.update(*map(identities, new))
        found += map(with_uuid, new)
    found.sort(key=lambda device: (_KINDS.index(device.kind) if device.kind in _KINDS else len(_KINDS), device.index))
    return Found(devices=tuple(found), problems=tuple(answer.problem for answer in ranked if answer.problem))


_KINDS = ("cuda", "rocm", "metal", "vulkan")


def _rank(answer: Answer) -> tuple[bool, int, str]:
    kinds = (*_KINDS, answer.source)
    return not answer.source.startswith(PLUGIN), kinds.index(answer.source), answer.source
