"""Which accelerators a worker sees, and what their numbers are on both sides."""

from pathlib import Path

import pytest

from uml_core.host.ggml import View
from uml_core.types import MemoryEstimate, MemoryPart, ModelSource, Placement, Plan

SOURCE = ModelSource(path=Path("m.gguf"), format="gguf", files=(), size_bytes=1)


def planned(*devices, **options):
    return Plan(
        model_id="m", model=SOURCE, backend="mine", tasks=(), context_length=1, options=options,
        placement=Placement(devices=devices),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "seen"),
    [
        (planned(), None),
        (planned("cuda:0", n_gpu_layers=33), None),
        (planned(n_gpu_layers=0), ()),
        (planned("cuda:0", n_gpu_layers=0), ()),  # whatever else was planned: without a layer none is needed
        (planned("cuda:1", n_gpu_layers=33, main_gpu=1), ("cuda:1",)),
        (planned("cuda:1", main_gpu=1, tensor_split=[0, 1.0, 0]), ("cuda:1",)),
        (planned("cuda:0", "cuda:2", tensor_split=[3, 0, 1]), ("cuda:0", "cuda:2")),
        (planned("rocm:1", main_gpu=1), ("rocm:1",)),
        (planned("vulkan:1", main_gpu=1), None),  # whose numbers are not those of its variable
        (planned("cuda:0", "cuda:1", main_gpu=1), None),  # the plan and the options don't say the same
        (planned("cuda:1", main_gpu=1, split_mode="row"), None),
    ],
)
def test_what_the_worker_sees(plan, seen):
    assert View.of(plan).devices == seen
    assert View.of(plan).narrowed is bool(seen)


@pytest.mark.parametrize(
    ("devices", "parent", "environment"),
    [
        (None, {"CUDA_VISIBLE_DEVICES": "1"}, {}),
        (("cuda:1",), {}, {"CUDA_VISIBLE_DEVICES": "1", "UML_GPUS": "1"}),
        (("cuda:0", "cuda:2"), {}, {"CUDA_VISIBLE_DEVICES": "0,2", "UML_GPUS": "0,2"}),
        (("cuda:1",), {"CUDA_VISIBLE_DEVICES": "4, 6"}, {"CUDA_VISIBLE_DEVICES": "6", "UML_GPUS": "1"}),
        (("cuda:0",), {"CUDA_VISIBLE_DEVICES": "GPU-ab,GPU-cd"}, {"CUDA_VISIBLE_DEVICES": "GPU-ab", "UML_GPUS": "0"}),
        (("rocm:1",), {"HIP_VISIBLE_DEVICES": "2,3"}, {"HIP_VISIBLE_DEVICES": "3", "UML_GPUS": "1"}),
        (("rocm:1",), {"CUDA_VISIBLE_DEVICES": "2,3"}, {"HIP_VISIBLE_DEVICES": "3", "UML_GPUS": "1"}),
    ],
)
def test_environment(devices, parent, environment):
    assert View(devices).environment(parent) == environment


def test_environment_of_none():
    environment = View(()).environment({"CUDA_VISIBLE_DEVICES": "0"})
    assert environment["CUDA_VISIBLE_DEVICES"] == environment["HIP_VISIBLE_DEVICES"] == "-1"
    assert environment["GGML_VK_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("devices", "inside", "outside"),
    [
        (("cuda:1",), "cuda:0", "cuda:1"),
        (("cuda:0", "cuda:2"), "cuda:1", "cuda:2"),
        (("cuda:1",), "cpu", "cpu"),
        (("cuda:1",), "cuda:1", "cuda:1"),  # one that it can't see
        ((), "cpu", "cpu"),
        (None, "cuda:0", "cuda:0"),
    ],
)
def test_numbers(devices, inside, outside):
    part = MemoryPart.exact(inside, "compute", 5)
    assert View(devices).outside(part) == MemoryPart.exact(outside, "compute", 5)
    assert View(devices).estimate_outside(MemoryEstimate(parts=(part,))).parts[0].device == outside


def test_no_estimate_stays_none():
    assert View(("cuda:1",)).estimate_outside(None) is None
