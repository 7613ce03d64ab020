"""The order of CUDA's devices, asked of CUDA once in a while: to ask takes longer than to read what is free."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping

from attrs import frozen

from uml_core.host.devices.answer import Answer

VARIABLE = "UML_PROBE_CUDA"
KNOWN_S = 300.0


@frozen
class Place:
    """One device as CUDA counts: its uuid as NVML writes it, and whether it shares the machine's memory."""

    uuid: str
    unified: bool = False


class Order:
    """What the last answer told of it, to be told to the next probe."""

    def __init__(self, known_s: float = KNOWN_S) -> None:
        self._known_s = known_s
        self._places: tuple[Place, ...] = ()
        self._until_s = 0.0

    def environment(self) -> Mapping[str, str]:
        """The variable that tells a probe; nothing, if it is to ask CUDA."""
        if not self._places or time.monotonic() >= self._until_s:
            return {}
        return {VARIABLE: json.dumps([[place.uuid, place.unified] for place in self._places])}

    def learn(self, answers: Iterable[Answer]) -> None:
        """Take the order of an answer that has every device, and all can be used; forget it after any other."""
        devices = [device for answer in answers if answer.source == "cuda" for device in answer.devices]
        places = tuple(Place(device.uuid, device.unified) for device in devices)
        gaps = [device.index for device in devices] != list(range(len(devices)))
        if not devices or gaps or any(device.problem for device in devices):
            self._places = ()
        elif time.monotonic() >= self._until_s or places != self._places:
            self._places, self._until_s = places, time.monotonic() + self._known_s


def known_order() -> tuple[Place, ...] | None:
    """What the parent has told this probe; None: nothing."""
    said = os.environ.get(VARIABLE)
    return tuple(Place(uuid, unified) for uuid, unified in json.loads(said)) if said else None
