"""What the worker's log says of the memory that it holds."""

from __future__ import annotations

import re

from uml_core.host.ggml import read_buffer
from uml_core.types import HOST, MemoryPart

EMPTY = re.compile(r"uml: the empty worker holds (?P<bytes>\d+) bytes")


def read_memory(line: str) -> MemoryPart | None:
    """What one line tells: the server's own, or what our script held before it loaded anything."""
    if found := EMPTY.search(line):
        return MemoryPart.exact(HOST, "overhead", int(found["bytes"]), source="measured")
    return read_buffer(line)
