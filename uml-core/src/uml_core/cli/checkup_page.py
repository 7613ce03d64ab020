"""The page of ``uml doctor``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from uml_core.cli.columns import Column, Row
from uml_core.cli.output import human_bytes, plain
from uml_core.cli.page import Line
from uml_core.cli.plugins_environment import place

View = Mapping[str, Any]
MOST_HOLDERS = 4
NAMES = {"cuda": "CUDA", "rocm": "ROCm", "metal": "Metal", "vulkan": "Vulkan"}
DEVICES = (
    Column("DEVICE"),
    Column("NAME"),
    Column("FREE", right=True),
    Column("OF", right=True),
    Column("KIND", 5),
    Column("DRIVER", 4),
    Column("RUNTIME", 3),
)
BACKENDS = (Column("BACKEND"), Column("STATE"), Column("ENGINE", 1), Column("RUNS ON"), Column("FORMATS", 2))
STORES = (Column("STORE"), Column("MODELS", right=True))


def lines(view: View) -> Iterator[Line]:
    """The machine and what UML has on it."""
    yield from _machine(view["machine"])
    yield from _memory(view["memory"])
    yield from _places(view)
    gateway = view["gateway"]
    if gateway:
        yield "gateway", f"{gateway['url']}, process {gateway['pid']}, version {gateway['version']}"
    else:
        yield "gateway", "not running; `uml serve` starts one"


def devices(view: View) -> list[Row]:
    """A row for each accelerator."""
    return [_device(device) for device in view["devices"]]


def held(view: View) -> list[Text]:
    """A line for each accelerator of which somebody holds memory."""
    told = [(device["id"], _holders(device["holders"]), device["unseen_bytes"]) for device in view["devices"]]
    texts = [
        (id, [named, f"{human_bytes(rest)} by processes not visible from here" * bool(rest)])
        for id, named, rest in told
    ]
    return [Text(f"{id} is held by {', '.join(filter(None, who))}", style="dim") for id, who in texts if any(who)]


def backends(view: View) -> list[Row]:
    """A row for each backend."""
    return [_backend(one) for one in view["backends"]]


def stores(view: View) -> list[Row]:
    """A row for each store that has models."""
    return [(store["name"], f"{store['models']:,}") for store in view["stores"]]


def _machine(machine: View) -> Iterator[Line]:
    cores, threads, all_of = machine["physical_cores"], machine["logical_cores"], machine["machine_logical_cores"]
    counted = f"{cores} core{'s' * (cores != 1)}" + (f" ({threads} threads)" if threads != cores else "")
    yield "machine", f"{machine['processor']}, {counted}; {machine['system']}"
    if threads < all_of:
        yield "", Text(f"the machine has {all_of} threads, and this process may use {threads} of them", style="yellow")
    nodes = f"{machine['numa_nodes']} NUMA nodes" if machine["numa_nodes"] > 1 else ""
    if told := ", ".join(filter(None, [*machine["isa"], nodes])):
        yield "", Text(told, style="dim")


def _memory(memory: View) -> Iterator[Line]:
    yield "memory", f"{human_bytes(memory['free_bytes'])} free of {human_bytes(memory['total_bytes'])}"
    if memory["total_bytes"] < memory["machine_bytes"]:
        whole = human_bytes(memory["machine_bytes"])
        yield "", Text(f"a limit of the container or the service; the machine has {whole}", style="yellow")
    if memory["holders"]:
        yield "", Text(f"held by {_holders(memory['holders'])}", style="dim")


def _places(view: View) -> Iterator[Line]:
    data, settings = view["data"], view["settings"]
    new = "" if data["exists"] else "; it isn't there yet"
    yield "data", f"{data['path']}, {human_bytes(data['free_bytes'])} free{new}"
    yield "settings", settings["path"] + ("" if settings["exists"] else ", which isn't there, so all is as usual")
    yield "python", f"{view['python']['version']}, {view['python']['path']}"
    for one in view["backends"]:
        if where := place(one["environment"]):
            yield "", Text(plain(f"{one['name']}: {where}"), style="dim")


def _device(device: View) -> Row:
    shared = "shared with the CPU" if device["unified"] else ""
    name = (plain(device["name"]), "red" if device["problem"] else "")
    return (
        (device["id"], "bold"),
        name,
        human_bytes(device["free_bytes"]),
        human_bytes(device["total_bytes"]),
        ", ".join(filter(None, [device["capability"], shared])),
        device["driver"] or "",
        device["runtime"] or "",
    )


def _backend(one: View) -> Row:
    runs_on = ", ".join(["CPU", *(NAMES.get(kind, kind) for kind in one["devices"])]) if one["ready"] else ""
    state = ("ready", "green") if one["ready"] else ("missing", "yellow")
    return (one["name"], state, one["engine"], runs_on, ", ".join(one["formats"]))


def _holders(holders: Sequence[View]) -> str:
    named = [f"{plain(one['name'])} ({one['pid']}) {human_bytes(one['held_bytes'])}" for one in holders[:MOST_HOLDERS]]
    more = len(holders) - MOST_HOLDERS
    return ", ".join([*named, f"{more} more"] if more > 0 else named)
