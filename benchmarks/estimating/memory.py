"""What this process holds, as the kernel counts it. Linux only; the standard library alone, for any engine's Python."""

from __future__ import annotations

import re
from pathlib import Path

HEAD = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)$")


def held(model: str) -> dict[str, int]:
    """Bytes of anonymous memory, and those of the files under *model* that are mapped and resident."""
    anonymous = mapped = 0
    path = ""
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        if head := HEAD.match(line):
            path = head[1]
            continue
        name, _, value = line.partition(":")
        if name == "Anonymous":
            anonymous += int(value.split()[0]) * 1024
        elif name == "Rss" and path.startswith(model):
            mapped += int(value.split()[0]) * 1024
    return {"anonymous": anonymous, "mapped": mapped}
