"""An accelerator of this machine, and who holds its memory."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

DeviceKind = Literal["cuda", "rocm", "metal", "vulkan"]
HOST = "cpu"
"""What the machine's own memory is called where devices are named."""


@frozen(kw_only=True)
class Holder:
    """A process that holds memory; ``name`` is what its program is called."""

    pid: int
    name: str
    held_bytes: int


@frozen(kw_only=True)
class Device:
    """One accelerator as an engine on this machine would see it; sizes in bytes.

    ``id`` is ``kind:index``, such as ``cuda:0``; ``index`` counts as the engines count, so what
    ``CUDA_VISIBLE_DEVICES`` hides has none and is not listed. ``free_bytes`` is what is free now; ``unified`` says that
    it shares the machine's memory: then what is taken from one is gone from the other. ``capability`` is CUDA's compute
    capability (``9.0``) or the name of the architecture (``gfx1100``), ``runtime`` the newest version of CUDA, HIP or
    Vulkan that the driver takes, ``bus`` the PCI address. ``holders`` are the processes that can be seen, the largest
    first, and ``unseen_bytes`` what is held by others. ``problem`` says why no engine can use it, and the way out;
    nothing is planned for a device that has one.
    """

    id: str
    kind: DeviceKind
    index: int
    name: str
    uuid: str = ""
    total_bytes: int = 0
    free_bytes: int = 0
    unified: bool = False
    display: bool = False
    capability: str | None = None
    driver: str | None = None
    runtime: str | None = None
    bus: str | None = None
    holders: tuple[Holder, ...] = ()
    unseen_bytes: int = 0
    problem: str = ""
