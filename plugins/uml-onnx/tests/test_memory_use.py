"""What a load takes: what is said beforehand against what a real process holds after a full context."""

import json
import subprocess
import sys

import pytest

from uml_core.inspection import inspect
from uml_core.inspection import plugin as formats
from uml_core.planning.estimate import Estimator
from uml_core.types import Placement, Plan
from uml_onnx import plugin

pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]

LOAD = """
import json, resource, sys
from pathlib import Path
from uml_core.types import ModelSource, Plan
from uml_core.worker.own_memory import own_bytes
from uml_core.worker.text import Row
from uml_onnx.worker import load

said, told = json.loads(sys.stdin.read()), []
source = ModelSource(path=Path(said.pop("path")), format="onnx", files=(), size_bytes=1)
plan = Plan(model_id="m", model=source, backend="onnx", tasks=("text-generation",), options={}, spin=False, **said)
model = load(plan, lambda part: told.append(own_bytes())).model
held, length = 0, plan.context_length
for slot in range(plan.parallel):
    for at in range(0, length, 512):
        count = min(512, length - at - 2)
        model.forward([Row(slot, at, [5 + n % 900 for n in range(count)], wanted=True)], lambda: False)
for at in range(2):
    model.forward([Row(slot, length - 2 + at, [7], wanted=True) for slot in range(plan.parallel)], lambda: False)
print(json.dumps([told[0], own_bytes()]))
"""
LOGITS = 512 * 49_152 * 4
"""What is only there while a batch is computed."""


def held(model, **values):
    """What a process took that has loaded *model* and has filled its context."""
    said = json.dumps({"path": str(model.path), **values})
    ran = subprocess.run(
        [sys.executable, "-c", LOAD], input=said, capture_output=True, text=True, timeout=110, check=False
    )
    assert ran.returncode == 0, ran.stderr
    empty, full = json.loads(ran.stdout)
    return full - empty


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("smollm2_genai_int4", {"context_length": 1024, "parallel": 3}),
        ("smollm2_onnx", {"context_length": 1024, "parallel": 2}),
    ],
)
def test_what_is_said_is_what_is_held(request, name, values):
    folder = request.getfixturevalue(name)
    graph = folder if name.endswith("int4") else folder / "model.onnx"
    model = inspect(graph, tuple(formats.uml_model_formats()))
    placement = Placement(batch=512)
    plan = Plan(model_id="m", model=model, backend="onnx", tasks=(), placement=placement, **values)
    formula = Estimator(model).at(**{"parallel": 1} | values, placement=placement)
    said = formula.replaced(plugin.uml_estimate_memory(plan=plan).parts)
    beside = said.total_bytes - said.bytes_of("overhead")
    assert beside - LOGITS == pytest.approx(held(model, **values), rel=0.15)


def test_graphs_that_read_are_left_to_core(minilm_onnx):
    model = inspect(minilm_onnx / "model.onnx", tuple(formats.uml_model_formats()))
    plan = Plan(model_id="m", model=model, backend="onnx", tasks=(), context_length=512)
    assert plugin.uml_estimate_memory(plan=plan) is None
