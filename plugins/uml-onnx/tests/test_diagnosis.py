"""What the backend knows better than core of a load that failed; the complaints are onnxruntime's own."""

from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError, ModelLoadError
from uml_core.testing.onnx import write_onnx
from uml_core.types import ModelSource, Plan, WorkerExit
from uml_onnx import plugin
from uml_onnx.options import Options

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.engine


def planned(path, **options):
    source = ModelSource(path=Path(path), format="onnx", files=(), size_bytes=1)
    values = Options(**options).model_dump()
    return Plan(model_id="org/tiny", model=source, backend="onnx", tasks=(), context_length=64, options=values)


def complaint(path, **options):
    """What a load of *path* ends with."""
    from uml_onnx.session import Session

    plan = planned(path, **options)
    with pytest.raises((InvalidModelFileError, ModelLoadError)) as raised:
        Session(Path(path), plan, Options(**plan.options))
    return raised.value


def diagnosed(*lines, code=1, state="loading"):
    exit = WorkerExit(code=code, signal=None, state=state, intended=False, log_tail=tuple(map(str, lines)))
    return plugin.uml_diagnose_exit(plan=planned("model.onnx"), exit=exit)


def graph(folder, operator="Relu", takes=("x",), **rest):
    shapes = {"inputs": {"x": [4]}, "outputs": {f"{operator}_out": [4]}}
    return write_onnx(folder / "model.onnx", nodes=[(operator, takes, {})], **shapes, **rest)


def test_an_operator_that_is_not_known(tmp_path):
    error = complaint(graph(tmp_path, "FooBar"))
    told = diagnosed(error)
    assert type(error) is ModelLoadError, error
    assert (told.code, told.deterministic) == ("unsupported_architecture", True)
    assert "does not know the operator FooBar; update it with `python -m pip install --upgrade" in told.message


def test_a_newer_format(tmp_path):
    path = graph(tmp_path)
    path.write_bytes(b"\x08\x63" + path.read_bytes()[2:])
    told = diagnosed(complaint(path))
    assert told.code == "unsupported_architecture"
    assert "is too old for version 99 of the format; update it" in told.message


def test_data_that_is_missing(tmp_path):
    path = graph(tmp_path, "Add", ("x", "w"), tensors={"w": [4]}, places={"w": ("w.bin", 0, 16)})
    error = complaint(path)
    assert type(error) is InvalidModelFileError
    assert "w.bin" in str(error)


def test_no_graph_at_all(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"hello world")
    error = complaint(path)
    assert type(error) is InvalidModelFileError
    assert str(error) == "onnxruntime can't load 'model.onnx': Protobuf parsing failed."


def test_a_device_that_this_build_has_not(tmp_path):
    import onnxruntime

    if "MIGraphXExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has it")
    told = diagnosed(complaint(graph(tmp_path), providers=["MIGraphX"]))
    assert told.code == "driver_mismatch"
    assert "the onnxruntime that is installed; install onnxruntime-gpu" in told.message


@pytest.mark.parametrize(
    ("module", "package"),
    [("onnxruntime", "onnxruntime"), ("uml_onnx", "uml-onnx"), ("llguidance", "'uml-core[text]'")],
)
def test_a_python_without_a_package(module, package):
    told = diagnosed(f"ModuleNotFoundError: No module named '{module}'")
    assert told.code == "missing_engine"
    assert f"has no {package}; install it with `python -m pip install {package}`" in told.message


@pytest.mark.parametrize(
    "line",
    [
        "'model.onnx' wants encoder_hidden_states, which this backend doesn't know",
        "'model.onnx' has no keys and values of a past that go in and come out; export it anew with a cache",
    ],
)
def test_a_graph_of_another_form(line):
    told = diagnosed(line)
    assert told.code == "unsupported_architecture"
    assert "is of a form that backend 'onnx' does not know; export it anew" in told.message


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        (("onnxruntime can't load 'model.onnx': Protobuf parsing failed.",), {"code": 3}),
        (("std::bad_alloc",), {}),
        (("No Op registered for FooBar",), {"state": "busy"}),
        ((), {"code": 127}),
    ],
)
def test_what_core_can_tell_as_well(lines, how):
    assert diagnosed(*lines, **how) is None
