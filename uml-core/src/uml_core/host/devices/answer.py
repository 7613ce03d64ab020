"""What one source of devices said: a line of JSON between the probe and who started it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import asdict, frozen

from uml_core.types import Device, Holder


@frozen(kw_only=True)
class Answer:
    """The devices of one source (``cuda``, ``vulkan``, ``plugin:NAME``), or the sentence that says why not."""

    source: str
    devices: tuple[Device, ...] = ()
    problem: str = ""

    def to_line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_line(cls, line: str) -> Answer:
        """Read it back.

        :raises ValueError: the line is no answer
        """
        try:
            said = json.loads(line)
            devices = tuple(_device(device) for device in said["devices"])
            return cls(source=str(said["source"]), devices=devices, problem=str(said["problem"]))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"no answer of a probe: {error}") from None


def _device(said: Mapping[str, Any]) -> Device:
    return Device(**{**said, "holders": tuple(Holder(**holder) for holder in said["holders"])})
