"""What the backend knows better than core of a load that failed; tests/integration/diagnosis has real failures."""

from pathlib import Path

import pytest

from uml_core.types import ModelSource, Plan, WorkerExit
from uml_llamaserver import plugin
from uml_llamaserver.options import Options, Settings

SOURCE = ModelSource(
    path=Path("m.gguf"), format="gguf", files=(), size_bytes=1, architecture="llama", metadata={"llama.block_count": 32}
)
FULL = "allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory"


def diagnosed(*lines, settings=None, code=1, state="loading", **options):
    plan = Plan(
        model_id="org/tiny",
        model=SOURCE,
        backend="llamaserver",
        tasks=(),
        context_length=512,
        options=Options(**options).model_dump(),
        settings=Settings(**(settings or {})).model_dump(),
    )
    exit = WorkerExit(code=code, signal=None, state=state, intended=False, log_tail=lines)
    return plugin.uml_diagnose_exit(plan=plan, exit=exit)


@pytest.mark.parametrize(
    ("settings", "way_out"),
    [
        ({}, "update llama.cpp with `python -m pip install --upgrade xllamacpp`, or choose another backend"),
        ({"python": "/v/python"}, "update llama.cpp with `/v/python -m pip install --upgrade xllamacpp`"),
        ({"binary": "/opt/llama-server"}, "update /opt/llama-server, or choose another backend"),
    ],
)
def test_an_architecture_that_is_not_known(settings, way_out):
    told = diagnosed("0.1 E error loading model: unknown model architecture: 'kimi9'", settings=settings)
    assert (told.code, told.deterministic) == ("unsupported_architecture", True)
    assert "'org/tiny' could not be loaded: llama.cpp does not know models of the kind 'kimi9'; " in told.message
    assert way_out in told.message


@pytest.mark.parametrize("code", [126, 127])
def test_a_program_that_can_not_be_started(code):
    said = "can't start /opt/llama-server: Permission denied"
    told = diagnosed(said, settings={"binary": "/opt/llama-server"}, code=code)
    assert told.code == "missing_engine"
    assert "'/opt/llama-server' can't be started; correct `binary` in [plugins.llamaserver]" in told.message


def test_a_program_that_is_too_old():
    told = diagnosed("error: invalid argument: --no-webui", settings={"binary": "/opt/llama-server"})
    assert told.code == "missing_engine"
    assert "'/opt/llama-server' does not know '--no-webui'; take a newer llama-server" in told.message


def test_a_python_without_the_package():
    told = diagnosed("the engine can't be imported: No module named 'xllamacpp'", code=4)
    assert "'python', has no xllamacpp; install it with `python -m pip install xllamacpp`" in told.message


@pytest.mark.parametrize(("asked", "fewer"), [(-1, 16), (20, 10)])
def test_a_gpu_that_is_too_small_for_the_layers_that_were_asked_for(asked, fewer):
    told = diagnosed(FULL, n_gpu_layers=asked)
    assert (told.code, told.suggestion, told.evidence) == ("insufficient_memory", {"n_gpu_layers": fewer}, FULL)
    assert f'set `n_gpu_layers = {fewer}` in [models."org/tiny".options] of uml.toml' in told.message


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ((FULL,), {}),  # llama.cpp has tried what fits: core knows what else needs less
        (("tensor data is not within the file bounds",), {}),
        (("mmap failed: Cannot allocate memory",), {}),
        (("unknown model architecture: 'kimi9'",), {"state": "busy"}),
        ((), {"code": 127}),
    ],
)
def test_what_core_can_tell_as_well(lines, how):
    assert diagnosed(*lines, **how) is None
