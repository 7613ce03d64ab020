"""What this machine has."""

from __future__ import annotations

from attrs import frozen

from uml_core.types.device import Device, Holder


@frozen(kw_only=True)
class HostInfo:
    """The machine as planning sees it; counts of cores, sizes in bytes, ``platform`` as in ``sys.platform``.

    ``isa`` names the instruction sets that engines choose by (``avx2``, ``avx512f``, ``amx_int8``, ``neon`` …).
    ``limited`` says that a control group, a container's or a service's, allows less than the machine has.
    ``holders`` are the processes that hold most of its memory, the largest first.
    """

    platform: str
    physical_cores: int
    logical_cores: int
    memory_bytes: int
    free_memory_bytes: int
    processor: str = ""
    isa: tuple[str, ...] = ()
    numa_nodes: int = 1
    limited: bool = False
    devices: tuple[Device, ...] = ()
    holders: tuple[Holder, ...] = ()
