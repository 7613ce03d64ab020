"""AMD's compute devices as the kernel lists them, under ``/sys/class/kfd``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from uml_core.host.devices.identity import bus_of

NODES = "class/kfd/kfd/topology/nodes"
PROCESSES = "class/kfd/kfd/proc"
APUS = ("gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1037", "gfx1103", "gfx115")
"""How the architectures begin that are parts of a processor; an MI300A has memory of its own kind, and says so."""


@frozen(kw_only=True)
class KfdNode:
    """One device; ``gpu_id`` is what the kernel calls it, ``render`` its node for rendering (``renderD128``)."""

    gpu_id: int
    architecture: str
    uuid: str
    bus: str
    render: str
    unified: bool


def kfd_nodes(sys: Path) -> list[KfdNode]:
    """The devices in the order in which ROCm counts them; one that this process may not see isn't there."""
    folders = sorted((sys / NODES).glob("*"), key=lambda folder: int(folder.name) if folder.name.isdecimal() else -1)
    return list(_read(folders))


def kfd_processes(sys: Path, gpu_id: int) -> dict[int, int]:
    """Bytes that each pid holds on the device."""
    found = {}
    for path in (sys / PROCESSES).glob(f"*/vram_{gpu_id}"):
        size = number(path)
        if size and path.parent.name.isdecimal():
            found[int(path.parent.name)] = size
    return found


def number(path: Path) -> int:
    """The number in a file; 0 if there is none."""
    word = text(path)
    return int(word) if word.isdecimal() else 0


def text(path: Path) -> str:
    """What is in a file; nothing if it can't be read."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _read(folders: list[Path]) -> Iterator[KfdNode]:
    for folder in folders:
        gpu_id, facts = number(folder / "gpu_id"), _facts(folder / "properties")
        if not gpu_id or not facts.get("simd_count"):  # a processor is a node, too
            continue
        architecture, place = _architecture(facts.get("gfx_target_version", 0)), facts.get("location_id", 0)
        unique = facts.get("unique_id", 0)
        yield KfdNode(
            gpu_id=gpu_id,
            architecture=architecture,
            uuid=f"GPU-{unique:016x}" if unique else "",
            bus=bus_of(facts.get("domain", 0), place >> 8, place >> 3 & 0x1F, place & 7),
            render=f"renderD{facts.get('drm_render_minor', 0)}",
            unified=bool(facts.get("cpu_cores_count")) or architecture.startswith(APUS),
        )


def _facts(path: Path) -> Mapping[str, int]:
    pairs = (line.split() for line in text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _architecture(version: int) -> str:
    """``90402`` is ``gfx942``: two digits each, the last two of them as hexadecimal ones."""
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
