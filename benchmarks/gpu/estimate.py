"""Planned and measured memory with layers on accelerators: each kind, on each device, for real loads.

    python benchmarks/gpu/estimate.py [--folder /tmp/models] [--only NAME ...] [--markdown FILE]

Models of random weights in the sizes of real ones are written, planned, loaded by the `llamacpp` plugin through a real
supervisor, and asked a prompt that fills the context; then what was measured stands beside what the plan said before.
With several devices visible, one is used if the model fits there. In some cases other processes hold most of the
devices: they have to be seen and named, and layers go where there is room.

Needs NVIDIA's driver, uml-core and uml-llamacpp with a llama-cpp-python built for CUDA, and the package gguf. Ends with
1 if a kind is off by more than 5 % and 16 MB, or a total by more than 10 % and 64 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import field, frozen

from uml_core.host import probe_host
from uml_core.host.devices import forget_devices
from uml_core.planning import Planner
from uml_core.planning.exactly import request_of
from uml_core.server.compose import plugins_of, registry_of, storage_of
from uml_core.settings import Settings
from uml_core.supervisor import Supervisor
from uml_core.testing.random_gguf import write_random_gguf
from uml_core.types import HOST, Device, HostInfo, LoadRequest, Measurement, MemoryPart, Plan

ALLOCATE = Path(__file__).with_name("allocate.py")
MB, MIB = 10**6, 1 << 20
CONTEXT_MIB = 520
"""What the context of another process takes beside what it asks for."""
KIND_PART, KIND_BYTES, TOTAL_PART, TOTAL_BYTES = 0.05, 16 * MB, 0.10, 64 * MB
KINDS = ("weights", "kv_cache", "compute", "overhead")
MEASURE_S = 60.0
LLAMA = {
    "layers": 16, "width": 2048, "heads": 32, "kv_heads": 8, "head_length": 64, "feed_forward": 8192,
    "vocabulary": 32_000,
}  # fmt: skip
MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "llama": ("llama", LLAMA),
    "qwen3": ("qwen3", {**LLAMA, "head_length": 128, "heads": 16, "tied": True}),
    "gemma3": ("gemma3", {**LLAMA, "layers": 18, "window": 1024, "head_length": 256, "heads": 8, "kv_heads": 2}),
    "moe": ("qwen3moe", {**LLAMA, "layers": 12, "head_length": 128, "feed_forward": 768, "experts": 32}),
    "latent": (
        "deepseek2",
        {"seed": 1, "layers": 12, "width": 2048, "heads": 16, "feed_forward": 1408, "vocabulary": 32_000},
    ),
    "hybrid": ("falcon-h1", {"layers": 12, "width": 1024, "feed_forward": 4096, "vocabulary": 32_000}),
}
"""In the sizes of models of one to two billion parameters. One ends its answers at once with the usual seed."""


@frozen(kw_only=True)
class Case:
    """One load. ``left_mib`` is what other processes leave of each device meanwhile; all where nothing is said."""

    name: str
    model: str
    context_length: int = 4096
    cache_type: str | None = None
    options: Mapping[str, Any] = field(factory=dict)
    left_mib: tuple[int, ...] = ()

    @property
    def request(self) -> LoadRequest:
        return LoadRequest(
            model=self.model, context_length=self.context_length, cache_type=self.cache_type, options=self.options
        )


CASES = (
    Case(name="llama, 4k", model="llama"),
    Case(name="llama, 64k", model="llama", context_length=65_536),
    Case(name="llama, 32k, q8_0", model="llama", context_length=32_768, cache_type="q8_0"),
    Case(name="llama, 8 layers", model="llama", options={"n_gpu_layers": 9}),
    Case(name="llama, on the CPU", model="llama", options={"n_gpu_layers": 0}),
    Case(name="llama, batch of 2048", model="llama", options={"n_batch": 2048, "n_ubatch": 2048}),
    Case(name="qwen3, 16k", model="qwen3", context_length=16_384),
    Case(name="gemma3, 32k, windows", model="gemma3", context_length=32_768),
    Case(name="moe, 8k", model="moe", context_length=8192),
    Case(name="moe, experts on the CPU", model="moe", options={"n_cpu_moe": 6}),
    Case(name="latent, 16k", model="latent", context_length=16_384),
    Case(name="hybrid, 16k", model="hybrid", context_length=16_384),
    Case(name="llama beside another program", model="llama", left_mib=(100_000,)),
    Case(name="llama, little room", model="llama", left_mib=(6000, 6000)),
    Case(name="llama, unequal room", model="llama", left_mib=(5700, 6200)),
    Case(name="moe, little room", model="moe", left_mib=(6500, 5300)),
)


@frozen(kw_only=True)
class Outcome:
    """What a plan said, what its load was measured to take, and what else has to be told."""

    case: Case
    plan: Plan
    measured: tuple[MemoryPart, ...]
    notes: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str, int, int, bool]]:
        """Device, kind, predicted and measured bytes, and whether that is near enough; the total of a device last."""
        memory = self.plan.memory
        assert memory is not None
        found = []
        devices = dict.fromkeys((*memory.estimate.devices, *(part.device for part in self.measured)))
        for device in devices:
            said = {part.kind: part.size_bytes for part in memory.estimate.on(device)}
            seen = {part.kind: part.size_bytes for part in self.measured if part.device == device}
            for kind in KINDS:
                if said.get(kind, 0) or seen.get(kind, 0):
                    pair = said.get(kind, 0), seen.get(kind, 0)
                    found.append((device, kind, *pair, near(*pair, part=KIND_PART, size_bytes=KIND_BYTES)))
            pair = sum(said.values()), sum(seen.values())
            found.append((device, "total", *pair, near(*pair, part=TOTAL_PART, size_bytes=TOTAL_BYTES)))
        return found


def near(said: int, seen: int, *, part: float, size_bytes: int) -> bool:
    return abs(said - seen) <= max(part * seen, size_bytes)


class Rig:
    """A supervisor with the installed plugins over a folder of models."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.settings = Settings(data_dir=folder, models_dir=models)
        self.plugins = plugins_of(self.settings)
        self.storage = storage_of(self.settings)
        self.registry = registry_of(self.settings, self.plugins, storage=self.storage)
        self.planner = Planner(self.plugins, self.registry, self.settings)
        self._since = datetime.now(UTC)

    async def run(self, supervisor: Supervisor, case: Case) -> Outcome:
        async with contextlib.AsyncExitStack() as stack:
            for device, left in zip(probe_host().devices, case.left_mib, strict=False):
                await stack.enter_async_context(holding(device, left))
            plan = await asyncio.to_thread(self.planner.draft, case.request, thorough=True)
            job = await supervisor.load(request_of(plan))
            assert job.plan is not None
            await self._ask(supervisor, job.plan)
            await self._measured()
            active = supervisor.active()
            assert active is not None
            await supervisor.unload()
            return Outcome(
                case=case, plan=plan, measured=active.measured, notes=notes_of(plan) if case.left_mib else ()
            )

    async def _measured(self) -> None:
        """Wait for the look that follows a full batch."""
        async with asyncio.timeout(MEASURE_S):
            while not any(row.used and row.measured > self._since for row in self._measurements()):
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)

    async def _ask(self, supervisor: Supervisor, plan: Plan) -> None:
        """A prompt that fills the context, and a few tokens of an answer."""
        count = plan.context_length - 16
        self._since = datetime.now(UTC)
        body = {"prompt": [number % 900 + 50 for number in range(count)], "max_tokens": 4, "temperature": 0}
        async with supervisor.lease(LoadRequest(model=plan.model_id), "text-generation") as lease:
            answer = json.loads(await (await lease.worker.post("/v1/completions", body)).read())
            lease.prompt_tokens = answer["usage"]["prompt_tokens"]
            lease.completion_tokens = answer["usage"]["completion_tokens"]

    def _measurements(self) -> list[Measurement]:
        return list(self.registry.records.measurements(backend="llamacpp"))


@asynccontextmanager
async def holding(device: Device, left_mib: int) -> AsyncIterator[None]:
    """Another process that leaves so much of *device*."""
    mib = device.free_bytes // MIB - left_mib - CONTEXT_MIB
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ALLOCATE), str(mib), str(device.index), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdin
    said = json.loads(await process.stdout.readline())
    if "error" in said:
        raise SystemExit(f"no memory to hold: {said['error']}")
    forget_devices()
    try:
        yield
    finally:
        process.stdin.close()
        await process.wait()
        forget_devices()


def notes_of(plan: Plan) -> tuple[str, ...]:
    """Who the plan says holds the devices, and where it puts the model."""
    assert plan.memory is not None
    held = [
        f"{budget.device}: {one.held_bytes / MB:.0f} MB by {one.name} (pid {one.pid})"
        for budget in plan.memory.budgets
        for one in budget.holders
        if budget.device != HOST
    ]
    at = plan.placement
    return *held, f"devices {', '.join(at.devices)}; layers {at.gpu_layers}; split {at.split}; experts {at.cpu_experts}"


def report(outcomes: list[Outcome], host: HostInfo) -> tuple[str, int]:
    """The table, planned / measured in MB with `!` where it is too far off, and how many cells are."""
    lines = [
        f"{host.processor}; " + ", ".join(f"{device.name} ({device.id})" for device in host.devices),
        "",
        "| load | device | weights | KV cache | compute | overhead | total |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    wrong = cells = 0
    for outcome in outcomes:
        rows = outcome.rows()
        cells, wrong = cells + len(rows), wrong + sum(not ok for *_, ok in rows)
        for device in dict.fromkeys(row[0] for row in rows):
            told = {
                kind: f"{said / MB:.1f} / {seen / MB:.1f}{'' if ok else ' !'}"
                for at, kind, said, seen, ok in rows
                if at == device
            }
            lines.append(
                f"| {outcome.case.name} | {device} | "
                + " | ".join(told.get(kind, "") for kind in (*KINDS, "total"))
                + " |"
            )
        lines += [f"| {outcome.case.name} | | {note} | | | | |" for note in outcome.notes]
    return "\n".join([*lines, "", f"{wrong} of {cells} too far off"]), wrong


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the models are written, or lie from an earlier run")
    parser.add_argument("--only", nargs="*", help="cases whose name begins so")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--cpu", action="store_true", help="go on where there is no accelerator")
    arguments = parser.parse_args()
    host = probe_host()
    if not host.devices and not arguments.cpu:
        print("no accelerator here that an engine could use")
        return 1
    cases = [case for case in CASES if not arguments.only or case.name.startswith(tuple(arguments.only))]
    with tempfile.TemporaryDirectory() as temporary:
        models = arguments.folder or Path(temporary) / "models"
        models.mkdir(parents=True, exist_ok=True)
        for name in dict.fromkeys(case.model for case in cases):
            architecture, sizes = MODELS[name]
            path = models / f"{name}.gguf"
            if not path.exists():
                print(f"writing {path.name}", flush=True)
                write_random_gguf(path, architecture, **sizes)
        outcomes = await run_all(Rig(Path(temporary) / "data", models), cases)
    text, wrong = report(outcomes, host)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text + "\n", "utf-8")
    return 1 if wrong or len(outcomes) < len(cases) else 0


async def run_all(rig: Rig, cases: list[Case]) -> list[Outcome]:
    outcomes = []
    rig.storage.start()
    try:
        async with Supervisor(rig.plugins, rig.planner, rig.settings, storage=rig.storage) as supervisor:
            for case in cases:
                try:
                    outcomes.append(await rig.run(supervisor, case))
                    print(f"{case.name}: {outcomes[-1].plan.placement}", flush=True)
                except Exception as error:  # the other cases shall run, and this one be told of
                    print(f"{case.name}: FAILED: {type(error).__name__}: {error}", flush=True)
    finally:
        rig.storage.close(leaving=True)
    return outcomes


if __name__ == "__main__":
    os.environ.setdefault("UML_DISABLED_PLUGINS", "llamaserver template")
    raise SystemExit(asyncio.run(main()))
