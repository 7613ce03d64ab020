"""What this machine has."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class HostInfo:
    """The machine as planning sees it; counts of cores, sizes in bytes, ``platform`` as in ``sys.platform``."""

    platform: str
    physical_cores: int
    logical_cores: int
    memory_bytes: int
    free_memory_bytes: int
