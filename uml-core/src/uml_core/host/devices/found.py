"""What was found of accelerators, and what went wrong."""

from __future__ import annotations

from attrs import frozen

from uml_core.types import Device


@frozen(kw_only=True)
class Found:
    """The devices, and a sentence for each source of them that could not be asked."""

    devices: tuple[Device, ...] = ()
    problems: tuple[str, ...] = ()
