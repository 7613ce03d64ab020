"""What runs a graph: told by what is installed and planned, without importing onnxruntime."""

from pathlib import Path

import pytest

from uml_core.errors import ModelLoadError
from uml_core.types import ModelSource, Placement, Plan
from uml_onnx.options import Options
from uml_onnx.providers import installed_devices, providers_for

CUDA_BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
CPU_BUILD = ["AzureExecutionProvider", "CPUExecutionProvider"]


def chosen(available, device=None, **options):
    source = ModelSource(path=Path("m.onnx"), format="onnx", files=(), size_bytes=1)
    placement = Placement(devices=(device,) if device else ())
    plan = Plan(model_id="m", model=source, backend="onnx", tasks=(), context_length=8, placement=placement)
    found = providers_for(plan, Options(**options), available)
    return [(one.name.removesuffix("ExecutionProvider"), one.options.get("device_id")) for one in found]


@pytest.mark.parametrize(
    ("library", "kinds"),
    [
        ("libonnxruntime_providers_cuda.so", ("cuda",)),
        ("onnxruntime_providers_cuda.dll", ("cuda",)),
        ("libonnxruntime_providers_migraphx.so", ("rocm",)),
        ("libonnxruntime_providers_shared.so", ()),
    ],
)
def test_what_is_installed(tmp_path, library, kinds):
    (tmp_path / "capi").mkdir()
    (tmp_path / "capi" / library).touch()
    assert installed_devices(tmp_path) == kinds


def test_what_was_planned():
    assert chosen(CUDA_BUILD) == [("CPU", None)]
    assert chosen(CUDA_BUILD, "cuda:1") == [("CUDA", "1"), ("CPU", None)]
    assert chosen(["ROCMExecutionProvider", *CPU_BUILD], "rocm:0") == [("ROCM", "0"), ("CPU", None)]


def test_what_was_asked_for():
    assert chosen(CUDA_BUILD, "cuda:0", providers=["CPU"]) == [("CPU", None)]
    assert chosen(CUDA_BUILD, providers=["CUDA"], device_id=2) == [("CUDA", "2"), ("CPU", None)]


@pytest.mark.parametrize("how", [{"device": "cuda:0"}, {"providers": ["CUDA"]}])
def test_what_this_build_has_not(how):
    with pytest.raises(ModelLoadError, match="has no execution provider CUDA, only Azure, CPU; install one"):
        chosen(CPU_BUILD, **how)
