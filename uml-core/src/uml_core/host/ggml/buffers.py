"""What ggml's engines say in their log of the memory that they take."""

from __future__ import annotations

import re

from uml_core.types import HOST, DeviceKind, MemoryKind, MemoryPart

MIB = 1 << 20
LINE = re.compile(
    r"(?<!\S)(?P<place>\S{1,64})\s{1,64}(?P<what>model|KV|RS|compute|output|LoRA|DSV4 \w+ state)\s+buffer size\s*=\s*"
    r"(?P<mib>\d+(?:\.\d+)?) MiB"
)
KINDS: dict[str, MemoryKind] = {
    "model": "weights",
    "LoRA": "weights",
    "KV": "kv_cache",
    "RS": "kv_cache",
    "compute": "compute",
    "output": "compute",
}
DEVICE = re.compile(r"(?P<kind>CUDA|ROCm|Vulkan|MTL|Metal)(?P<index>\d*)(?:_(?!Host)\w+)?")
DEVICES: dict[str, DeviceKind] = {"CUDA": "cuda", "ROCm": "rocm", "Vulkan": "vulkan", "MTL": "metal", "Metal": "metal"}
EMPTY = re.compile(r"uml: the empty worker holds (?P<bytes>\d+) bytes")
HOSTS = re.compile(r"CPU\w*|BLAS|AMX|\w+_Host")


def read_buffer(line: str) -> MemoryPart | None:
    """One buffer that *line* tells of, as ``CUDA0 KV buffer size = 1920.00 MiB``; None if it tells of none.

    A cache of two kinds of layers, or weights of which some are arranged anew, are several buffers of one device.
    """
    found = LINE.search(line)
    device = _device(found["place"]) if found else None
    if not found or not device:
        return None
    kind = KINDS.get(found["what"], "kv_cache")
    return MemoryPart.exact(device, kind, round(float(found["mib"]) * MIB), source="measured")


def read_overhead(line: str) -> MemoryPart | None:
    """What a worker held before it opened the model; no engine tells that, our own scripts do."""
    found = EMPTY.search(line)
    return MemoryPart.exact(HOST, "overhead", int(found["bytes"]), source="measured") if found else None


def _device(place: str) -> str | None:
    """``CUDA0`` is ``cuda:0``; the memory that a driver has of the machine's own (``CUDA_Host``) is the machine's."""
    if HOSTS.fullmatch(place):
        return HOST
    found = DEVICE.fullmatch(place)
    return f"{DEVICES[found['kind']]}:{found['index'] or 0}" if found else None
