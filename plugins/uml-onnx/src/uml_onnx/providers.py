"""What runs a graph: onnxruntime's execution providers, by what is installed, planned and asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from uml_core.errors import ModelLoadError
from uml_core.types import DeviceKind, Plan
from uml_onnx.options import Options

SUFFIX = "ExecutionProvider"
CPU = f"CPU{SUFFIX}"
BY_KIND: Mapping[DeviceKind, tuple[str, ...]] = {"cuda": ("CUDA",), "rocm": ("MIGraphX", "ROCM")}
LIBRARIES: Mapping[DeviceKind, tuple[str, ...]] = {
    kind: tuple(f"providers_{name.lower()}" for name in names) for kind, names in BY_KIND.items()
}
MEMORIES = {f"CUDA{SUFFIX}": "cuda", f"ROCM{SUFFIX}": "cuda"}
"""Where a graph's outputs may stay for the next step; the others copy what goes in and out."""


@frozen
class Provider:
    """An execution provider as onnxruntime takes it; ``memory`` and ``index`` are where it keeps what it computed."""

    name: str
    options: Mapping[str, str] = field(factory=dict)

    @property
    def memory(self) -> str:
        return MEMORIES.get(self.name, "cpu")

    @property
    def index(self) -> int:
        return int(self.options.get("device_id", 0))


def installed_devices(engine: Path) -> tuple[DeviceKind, ...]:
    """The kinds of accelerators that the build of onnxruntime in the folder *engine* has libraries for."""
    names = [file.name for file in (engine / "capi").glob("*onnxruntime_providers_*")]
    return tuple(kind for kind, marks in LIBRARIES.items() if any(mark in name for mark in marks for name in names))


def providers_for(plan: Plan, options: Options, available: Sequence[str]) -> list[Provider]:
    """The providers to try in this order; the processor comes last, for what the others can't compute.

    :raises ModelLoadError: one that was asked for, or that the plan needs, is not in this build of onnxruntime
    """
    kind, _, index = (plan.placement.devices or ("",))[0].partition(":")
    if options.providers:
        names = [f"{name}{SUFFIX}" for name in options.providers]
        _require(names, available)
    else:
        names = _usual(kind, available)
    number = options.device_id if options.device_id is not None else int(index or 0)
    return [_provider(name, number) for name in dict.fromkeys((*names, CPU))]


def _usual(kind: str, available: Sequence[str]) -> list[str]:
    if wanted := [f"{name}{SUFFIX}" for key, names in BY_KIND.items() if key == kind for name in names]:
        if not (found := [name for name in wanted if name in available]):
            _require(wanted[:1], available)
        return found[:1]
    if sys.platform == "win32" and f"Dml{SUFFIX}" in available:
        return [f"Dml{SUFFIX}"]  # who installed that build wants it: core knows no such devices
    return []


def _require(names: Sequence[str], available: Sequence[str]) -> None:
    if missing := [name.removesuffix(SUFFIX) for name in names if name not in available]:
        there = ", ".join(name.removesuffix(SUFFIX) for name in available)
        raise ModelLoadError(
            f"this build of onnxruntime has no execution provider {missing[0]}, only {there}; install one that has it "
            "(onnxruntime-gpu, onnxruntime-directml …), or load with --device cpu"
        )


def _provider(name: str, index: int) -> Provider:
    if name not in {f"{one}{SUFFIX}" for names in BY_KIND.values() for one in names} | {f"Dml{SUFFIX}"}:
        return Provider(name)
    options = {"device_id": str(index)}
    if name == f"CUDA{SUFFIX}":
        options["arena_extend_strategy"] = "kSameAsRequested"  # or it takes twice as much each time
    return Provider(name, options)
