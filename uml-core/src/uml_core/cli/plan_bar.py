"""A device's memory as a bar: who holds it now, what the load takes of it, and what stays free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from rich.text import Text

from uml_core.cli.amounts import amount

View = Mapping[str, Any]


@frozen
class Look:
    """How something is shown: as ``glyph`` without colours, as ``solid`` in ``style`` with them."""

    name: str
    glyph: str
    solid: str
    style: str

    def sign(self, *, coloured: bool) -> Text:
        """The sign of it, for a legend."""
        return Text(self.solid, style=self.style) if coloured else Text(self.glyph)


HELD = Look("held", "x", "░", "bright_black")
WEIGHTS = Look("weights", "█", "█", "blue")
KV_CACHE = Look("KV", "▓", "█", "magenta")
COMPUTE = Look("compute", "▒", "█", "yellow")
OVERHEAD = Look("overhead", "░", "█", "cyan")
SHARED = Look("on accelerators", "%", "█", "green")
"""What accelerators that share the machine's memory take of it."""
FREE = Look("free", "·", "·", "bright_black")
MARGIN = Look("margin", "/", "/", "bright_black")
KINDS: Mapping[str, Look] = {"weights": WEIGHTS, "kv_cache": KV_CACHE, "compute": COMPUTE, "overhead": OVERHEAD}


def segments(device: View) -> list[tuple[Look, int]]:
    """What lies in it from left to right, with the bytes of each; more than it has in all where it doesn't fit."""
    there, shared = available(device), device.get("shared_bytes", 0)
    needs, held = taken(device), max(0, device["total_bytes"] - there)
    sizes = {part["kind"]: part["size_bytes"] for part in device["parts"]}
    left = max(0, there - needs)
    margin = min(device["margin_bytes"], left)
    kinds = [(look, sizes.get(kind, 0)) for kind, look in KINDS.items()]
    return [(HELD, held), *kinds, (SHARED, shared), (FREE, left - margin), (MARGIN, margin)]


def taken(device: View) -> int:
    """What is taken of its memory: by the load there, and by what lies on accelerators that share it."""
    return int(device["needs_bytes"] + device.get("shared_bytes", 0))


def available(device: View) -> int:
    """What is free, or will be when the model before has gone, before the margin is taken off."""
    return int(min(device["free_bytes"] + device["freed_bytes"], device["total_bytes"]))


def bar(device: View, columns: int, *, coloured: bool) -> list[Text]:
    """The bar; where more is needed than there is, also a line that shows where the budget ends."""
    shown = segments(device)
    cells = shares([size for _, size in shown], columns)
    line = Text()
    for (look, _), count in zip(shown, cells, strict=True):
        line.append((look.solid if coloured else look.glyph) * count, style=look.style if coloured else "")
    missing = device["missing_bytes"]
    if missing <= 0:
        return [line]
    whole = sum(size for _, size in shown)
    end = round(columns * (shown[0][1] + device["budget_bytes"]) / whole) if whole else 0
    return [line, _limit(f"{amount(missing)} too much", min(max(end, cells[0]), columns - 1))]


def shares(sizes: Sequence[int], cells: int) -> list[int]:
    """Divide the cells by size, as fair as whole cells can be; what is there at all gets one."""
    whole = sum(sizes)
    if not whole:
        return [0] * len(sizes)
    exact = [size * cells / whole for size in sizes]
    given = [max(1, int(share)) if size else 0 for size, share in zip(sizes, exact, strict=True)]
    while (rest := cells - sum(given)) != 0:
        step = 1 if rest > 0 else -1
        able = [index for index, count in enumerate(given) if count > (0 if step > 0 else 1)]
        if not able:
            return given
        given[max(able, key=lambda index: step * (exact[index] - given[index]))] += step
    return given


def _limit(said: str, end: int) -> Text:
    """What is said points at the cell where the budget ends, from the side that has room."""
    text = f"{said} ▲" if end > len(said) else f"▲ {said}"
    return Text(" " * (end + 1 - len(text) if end > len(said) else end) + text, style="red")
