"""What llama.cpp says in its log that it has laid out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

BUFFER = re.compile(r"(\S+)\s+(model|KV|RS|compute|output) buffer size\s*=\s*([\d.]+) MiB")
MIB = 2**20


def buffers(lines: Iterable[str]) -> dict[str, int]:
    """Bytes of the weights that are copied, and of the cache; what is mapped is not counted."""
    found: Counter[str] = Counter({"copied": 0, "kv_cache": 0})
    for line in lines:
        if not (match := BUFFER.search(line)):
            continue
        device, what, mib = match[1], match[2], float(match[3])
        if what == "model" and not device.endswith("_Mapped"):
            found["copied"] += round(mib * MIB)
        elif what in ("KV", "RS"):
            found["kv_cache"] += round(mib * MIB)
    return dict(found)
