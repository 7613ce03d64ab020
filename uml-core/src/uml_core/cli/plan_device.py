"""What a load takes of one device, what there is of it and who holds the rest, in lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.text import Text

from uml_core.cli.amounts import Unit, amount, interval
from uml_core.cli.flow import flowed
from uml_core.cli.output import plain
from uml_core.cli.plan_bar import FREE, HELD, KINDS, MARGIN, SHARED, Look, available, taken

View = Mapping[str, Any]
MOST_HOLDERS = 3
LABEL_COLUMNS = 8


def heading(device: View) -> Text:
    """``NVIDIA H200 (cuda:0), 150.7 GB``; what the plan doesn't touch is only named."""
    name = device.get("name") or ("memory" if device["device"] == "cpu" else device["device"])
    known = f" ({device['device']})" if name != device["device"] else ""
    size = f", {amount(device['total_bytes'])}" if "total_bytes" in device else ""
    shared = " shared with the machine" if device.get("unified") else ""
    used = bool(device["needs_bytes"])
    rest = f"{known}{size}{shared}" + ("" if used else ": nothing is put there")
    return Text.assemble((plain(name), "bold" if used else "dim"), (plain(rest), "dim"))


def device_lines(device: View, columns: int | None, *, coloured: bool) -> Iterator[Text]:
    """The lines below its bar, each with its label."""
    yield from _labelled("needs", _needs(device, coloured=coloured), columns, gap="  ")
    if "total_bytes" not in device:
        return
    yield from _labelled("budget", _budget(device, coloured=coloured), columns)
    held = _held(device, coloured=coloured)
    if held:
        yield from _labelled("held", held, columns)


def _needs(device: View, *, coloured: bool) -> list[Text]:
    sizes = {part["kind"]: part["size_bytes"] for part in device["parts"] if part["size_bytes"]}
    unit = Unit.of([device["needs_bytes"]])
    pieces = [Text(f"{interval(device['needs_bytes'], device['low_bytes'], device['high_bytes'])}")]
    for kind, look in KINDS.items():
        if kind in sizes:
            pieces.append(_sized(look, f"{look.name} {unit.bare(sizes[kind])}", coloured=coloured))
    if shared := device.get("shared_bytes"):
        pieces.append(_sized(SHARED, f"and {amount(shared)} {SHARED.name}", coloured=coloured))
    return pieces


def _budget(device: View, *, coloured: bool) -> list[Text]:
    """``7.6 GB: free 1.9 + freed 5.9 - margin 0.2; 1.3 stay free``."""
    budget, freed, margin = device["budget_bytes"], device["freed_bytes"], device["margin_bytes"]
    unit = Unit.of([budget])
    pieces = [Text(f"{unit.whole(budget)}:"), Text(f"free {unit.bare(device['free_bytes'])}")]
    if freed:
        pieces.append(Text(f"+ freed {unit.bare(freed)}"))
    if margin:
        sign = _sized(MARGIN, f"margin {unit.bare(margin)}", coloured=coloured)
        pieces.append(Text.assemble("\N{MINUS SIGN} ", sign))
    left = budget - taken(device)
    if left > 0:
        pieces[-1].append(";")
        pieces.append(_sized(FREE, f"{unit.bare(left)} stay free", coloured=coloured))
    elif spared := _spared(device):
        pieces[-1].append(";")
        pieces.append(Text(f"{amount(spared)} of the weights need not stay"))
    return pieces


def _spared(device: View) -> int:
    """Pages of the file that nobody reads again: more may be needed than the budget has, and it fits all the same."""
    weights = [part for part in device["parts"] if part["kind"] == "weights" and device["device"] == "cpu"]
    return sum(part["size_bytes"] - part["low_bytes"] for part in weights)


def _held(device: View, *, coloured: bool) -> list[Text]:
    """``9.2 GB: 2.1 by firefox (pid 4242), 1.2 by processes not visible from here, 5.9 by others``."""
    held = max(0, device["total_bytes"] - available(device))
    unit = Unit.of([held])
    named = [holder for holder in device["holders"] if holder["held_bytes"] > 0][:MOST_HOLDERS]
    told = [f"{unit.bare(one['held_bytes'])} by {plain(one['name'])} (pid {one['pid']})" for one in named]
    unseen = device["unseen_bytes"]
    if unseen:
        told.append(f"{unit.bare(unseen)} by processes not visible from here")
    rest = held - unseen - sum(one["held_bytes"] for one in named)
    if told and rest >= held / 50:
        told.append(f"{unit.bare(rest)} by others")
    if not told:
        return [_sized(HELD, f"{unit.whole(held)} already", coloured=coloured)] if held else []
    return [_sized(HELD, f"{unit.whole(held)}:", coloured=coloured), *map(Text, _listed(told))]


def _listed(told: list[str]) -> Iterable[str]:
    return [*(f"{one}," for one in told[:-1]), told[-1]]


def _sized(look: Look, said: str, *, coloured: bool) -> Text:
    return Text.assemble(look.sign(coloured=coloured), " ", said)


def _labelled(label: str, pieces: list[Text], columns: int | None, *, gap: str = " ") -> Iterator[Text]:
    room = None if columns is None else max(columns - LABEL_COLUMNS, 20)
    for number, line in enumerate(flowed(pieces, room, gap=gap)):
        yield Text.assemble((f"{'' if number else label:<{LABEL_COLUMNS}}", "dim"), line)
