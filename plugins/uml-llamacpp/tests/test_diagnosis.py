"""What the backend knows better than core of a load that failed; tests/integration/diagnosis has real failures."""

from pathlib import Path

import pytest

from uml_core.types import ModelSource, Plan, WorkerExit
from uml_llamacpp import plugin
from uml_llamacpp.options import Options, Settings

SOURCE = ModelSource(
    path=Path("m.gguf"), format="gguf", files=(), size_bytes=1, architecture="llama", metadata={"llama.block_count": 32}
)
FULL = "allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory"


def diagnosed(*lines, settings=None, code=1, state="loading", **options):
    plan = Plan(
        model_id="org/tiny",
        model=SOURCE,
        backend="llamacpp",
        tasks=(),
        context_length=512,
        options=Options(**options).model_dump(),
        settings=Settings(**(settings or {})).model_dump(),
    )
    exit = WorkerExit(code=code, signal=None, state=state, intended=False, log_tail=lines)
    return plugin.uml_diagnose_exit(plan=plan, exit=exit)


@pytest.mark.parametrize(("settings", "python"), [({}, "python"), ({"python": "/v/python"}, "/v/python")])
def test_an_architecture_that_is_not_known(settings, python):
    told = diagnosed("error loading model: unknown model architecture: 'kimi9'", settings=settings)
    assert (told.code, told.deterministic) == ("unsupported_architecture", True)
    assert "llama.cpp does not know models of the kind 'kimi9'; update it with" in told.message
    assert f"`{python} -m pip install --upgrade llama-cpp-python`" in told.message


def test_a_model_that_does_not_write():
    told = diagnosed("'/m.gguf' holds no model of the kind that goes on with a text; no other is served here")
    assert told.code == "unsupported_architecture"
    assert "it is not made to go on with a text, which is all that backend 'llamacpp' does; choose" in told.message


@pytest.mark.parametrize(
    ("module", "package"),
    [("llama_cpp", "llama-cpp-python"), ("uml_llamacpp", "uml-llamacpp"), ("llguidance", "'uml-core[text]'")],
)
def test_a_python_without_a_package(module, package):
    told = diagnosed(f"ModuleNotFoundError: No module named '{module}'", settings={"python": "/v/python"})
    assert told.code == "missing_engine"
    assert f"'/v/python', has no {package}; install it with `/v/python -m pip install {package}`" in told.message


@pytest.mark.parametrize(("asked", "fewer"), [(None, 16), (-1, 16), (20, 10)])
def test_a_gpu_that_is_too_small_for_the_layers(asked, fewer):
    told = diagnosed(FULL, n_gpu_layers=asked)
    assert (told.code, told.suggestion, told.evidence) == ("insufficient_memory", {"n_gpu_layers": fewer}, FULL)
    assert f'set `n_gpu_layers = {fewer}` in [models."org/tiny".options] of uml.toml' in told.message


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ((FULL,), {"n_gpu_layers": 0}),
        (("tensor data is not within the file bounds",), {}),
        (("mmap failed: Cannot allocate memory",), {}),
        (("unknown model architecture: 'kimi9'",), {"state": "busy"}),
        ((), {"code": 127}),
    ],
)
def test_what_core_can_tell_as_well(lines, how):
    assert diagnosed(*lines, **how) is None
