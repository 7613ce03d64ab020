"""What a load's memory depends on beside the model, in words that are equal for equal loads."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from uml_core.types import BackendInfo, Device, Placement
from uml_core.types.device import HOST


def how_of(context_length: int, parallel: int, placement: Placement) -> str:
    """Write down the context, then a space, then everything else; the devices by their kinds, not which of them.

    Of a split the shares count to two places: free memory is never twice the same.
    """
    return f"{context_length}x{parallel} {' '.join(_words(placement))}"


def apart_from_context(how: str) -> str:
    """What :func:`how_of` says of all but the context."""
    return how.partition(" ")[2]


def _words(placement: Placement) -> Iterator[str]:
    yield f"batch={placement.batch}"
    yield f"cache={placement.cache_type_k}/{placement.cache_type_v}"
    yield {None: "fa=auto", True: "fa=on", False: "fa=off"}[placement.flash_attention]
    yield "mapped" if placement.mapped else "read"
    if placement.full_window:
        yield "full-window"
    if placement.devices:
        yield f"on={','.join(device.partition(':')[0] for device in placement.devices)}"
        yield f"layers={placement.gpu_layers}"
        if placement.cpu_experts:
            yield f"cpu-experts={placement.cpu_experts}"
        if placement.split:
            whole = sum(placement.split) or 1.0
            yield f"split={','.join(f'{share / whole:.2f}' for share in placement.split)}"
        if not placement.cache_on_device:
            yield "cache=cpu"


def device_names(devices: tuple[Device, ...]) -> Mapping[str, str]:
    """What measurements call each device, by its id: all of one make are alike."""
    return {HOST: HOST} | {device.id: f"{device.kind} {device.name}" for device in devices}


def engine_of(backend: BackendInfo, settings: Mapping[str, Any]) -> str:
    """Name the engine and its version.

    A program, or another interpreter's package, has no version that could be read at once: in its place stands what
    changes when it is replaced.

    :param settings: the plugin's own table of ``uml.toml``, validated; a path in it says where the engine is
    """
    places = [Path(value) for _, value in sorted(settings.items()) if isinstance(value, str | Path) and str(value)]
    if places := [place for place in places if place.is_absolute()]:
        changes = "\n".join(f"{place} {_changed(place)}" for place in places)
        return f"{backend.engine} {blake2b(changes.encode('utf-8', 'replace'), digest_size=6).hexdigest()}".strip()
    try:
        return f"{backend.engine} {importlib.metadata.version(backend.engine)}"
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return backend.engine


def _changed(place: Path) -> int:
    """When the program was replaced, or something installed into the interpreter's environment."""
    site = place.parent.parent.glob("lib/python*/site-packages")
    try:
        return max(path.stat().st_mtime_ns for path in (place, *site))
    except OSError:
        return 0
