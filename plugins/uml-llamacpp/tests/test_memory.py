"""What a load takes: what is laid out beforehand against what a real context holds after full batches."""

import json
import subprocess
import sys

import attrs
import psutil
import pytest

from uml_core.inspection.gguf import read
from uml_core.types import Plan
from uml_llamacpp import plugin
from uml_llamacpp.options import Options

pytest.importorskip("llama_cpp")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]

MIB = 1 << 20
TOLERANCE = 16 * MIB
LOAD = """
import json, sys
from pathlib import Path
from uml_core.types import ModelSource, Plan
from uml_core.testing.driving import drive
from uml_core.worker import CompletionRequest
from uml_core.worker.own_memory import own_bytes
from uml_llamacpp.worker import load

said, told = json.loads(sys.stdin.read()), []
source = ModelSource(path=Path(said.pop("path")), format="gguf", files=(), size_bytes=1)
plan = Plan(model_id="m", model=source, backend="llamacpp", tasks=(), **said)
engine = load(plan, lambda part: told.append((part, own_bytes())))
prompts = [[first + at % 900 for at in range(plan.context_length - 8)] for first in range(plan.parallel)]
assert drive(engine, *[CompletionRequest(prompt=prompt, max_tokens=2) for prompt in prompts])
print(json.dumps({"first": told[0], "held": own_bytes()}))
"""


@pytest.fixture(scope="module")
def model(smollm2):
    return read(smollm2)


def planned(model, *, parallel=1, **options):
    how = {"context_length": 600, "parallel": parallel, "options": Options(**options).model_dump()}
    return Plan(model_id="m", model=model, backend="llamacpp", tasks=(), **how)


def loaded(plan):
    """What a process told that has loaded *plan* and has filled its context, and what its log told of buffers."""
    numbers = {"context_length": plan.context_length, "parallel": plan.parallel}
    said = {"path": str(plan.model.path), **numbers, "options": dict(plan.options)}
    ran = subprocess.run(
        [sys.executable, "-c", LOAD], input=json.dumps(said), capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    reader = plugin.uml_launch_worker(plan=plan).memory
    return json.loads(ran.stdout), [part for part in map(reader, ran.stderr.splitlines()) if part]


@pytest.mark.parametrize(
    "options",
    [{}, {"type_k": "q8_0", "n_ubatch": 128, "flash_attn": True}, {"use_mmap": False}, {"parallel": 4}],
)
def test_what_is_laid_out_and_told_is_what_is_held(model, options):
    plan = planned(model, **options)
    empty_worker, compute = plugin.uml_estimate_memory(plan=plan).parts
    assert (empty_worker.device, empty_worker.kind, empty_worker.source) == ("cpu", "overhead", "probe")
    assert (compute.device, compute.kind, compute.source) == ("cpu", "compute", "probe")
    said, parts = loaded(plan)
    sums = {kind: sum(part.size_bytes for part in parts if part.kind == kind) for kind in ("weights", "kv_cache")}
    assert sums["weights"] == pytest.approx(model.size_bytes, rel=0.05)
    begun, empty = said["first"]
    assert begun == 0
    beside = sums["kv_cache"] + (0 if options.get("use_mmap", True) else sums["weights"])
    assert compute.size_bytes == pytest.approx(said["held"] - empty - beside, abs=TOLERANCE)


def test_less_at_once_takes_less(model):
    many, few = (plugin.uml_estimate_memory(plan=planned(model, **how)).total_bytes for how in ({}, {"n_ubatch": 64}))
    assert few < many - 4 * MIB


def test_what_can_not_be_laid_out(model, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model.path.read_bytes()[: 2**20])
    children = set(psutil.Process().children())
    assert plugin.uml_estimate_memory(plan=planned(attrs.evolve(model, path=cut))) is None
    assert set(psutil.Process().children()) == children
