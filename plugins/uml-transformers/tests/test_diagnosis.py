"""What the backend knows better than core of a load that failed: from the last words of real workers."""

import json
import os
import subprocess

import pytest

from uml_core.types import ModelSource, Plan, WorkerExit
from uml_transformers import plugin
from uml_transformers.options import Options, Settings


def plan(path="/m", settings=None):
    source = ModelSource(path=path, format="safetensors", files=(), size_bytes=1, architecture="LlamaForCausalLM")
    return Plan(
        model_id="org/tiny",
        model=source,
        backend="transformers",
        tasks=("text-generation",),
        context_length=4096,
        options=Options().model_dump(),
        settings=Settings(**(settings or {})).model_dump(),
    )


def diagnosed(*lines, state="loading", settings=None):
    exit = WorkerExit(code=1, signal=None, state=state, intended=False, log_tail=lines)
    return plugin.uml_diagnose_exit(plan=plan(settings=settings), exit=exit)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (
            "transformers 5.23.0 does not know models of the kind 'Kimi9ForCausalLM', so 'm' can't be loaded",
            "unsupported_architecture",
            "transformers 5.23.0 does not know models of the kind 'Kimi9ForCausalLM'; update it with",
        ),
        (
            "'m' needs Python files of its own, which are not run; set …",
            "unsupported_architecture",
            "trust_remote_code",
        ),
        (
            "'pytorch_model.bin' is a pickle with code in it, which is never run; get …",
            "invalid_model_file",
            "'pytorch_model.bin' is a pickle with code in it, which is never run; get the model as safetensors",
        ),
        (
            "'m' lacks 9 of its weights, such as 'model.norm.weight'; fetch it again",
            "invalid_model_file",
            "9 of its weights are not in its files, such as 'model.norm.weight'; fetch it again",
        ),
        (
            "'m' has 2 weights of another shape than its config.json says, such as 'a.b'; fetch it again",
            "invalid_model_file",
            "2 of its weights have another shape than config.json says, such as 'a.b'",
        ),
        (
            "'a.safetensors' keeps 'x' as 'F4', a number type that this torch does not know; update torch",
            "invalid_model_file",
            "'a.safetensors' has weights of the type 'F4', which this torch does not know; update torch",
        ),
        (
            "the config.json of 'm' says what can't be: module 'torch' has no attribute 'float99'",
            "invalid_model_file",
            "'float99'; fetch it again",
        ),
        ("ModuleNotFoundError: No module named 'accelerate'", "missing_engine", "has no accelerate; install it with"),
    ],
)
def test_what_a_line_means(line, code, says):
    told = diagnosed("Traceback …", line)
    assert (told.code, told.deterministic, told.evidence) == (code, True, line)
    assert told.message.startswith("'org/tiny' could not be loaded: ")
    assert says in told.message


def test_a_gpu_that_is_too_small():
    told = diagnosed("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")
    assert (told.code, told.suggestion) == ("insufficient_memory", {"context_length": 2048})
    assert "load it with `--ctx 2048`" in told.message


def test_the_python_of_the_settings_is_named():
    told = diagnosed("No module named 'torch'", settings={"python": "/v/python"})
    assert "'/v/python', has no torch; install it with `/v/python -m pip install torch`" in told.message


@pytest.mark.parametrize(("lines", "state"), [(("killed",), "loading"), (("No module named 'torch'",), "busy")])
def test_what_core_can_tell_as_well(lines, state):
    assert diagnosed(*lines, state=state) is None


@pytest.mark.engine
def test_the_last_words_of_a_real_worker(tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text('{"model_type": "kimi9", "architectures": ["Kimi9ForCausalLM"]}')
    file = tmp_path / "launch.json"
    said = {"model_id": "org/tiny", "backend": "transformers", "tasks": ["text-generation"], "context_length": 64}
    said |= {"options": Options().model_dump(), "settings": {}, "model": {"path": str(tmp_path), "files": []}}
    said["model"] |= {"format": "safetensors", "architecture": "Kimi9ForCausalLM"}
    file.write_text(json.dumps({"host": "127.0.0.1", "port": 0, "fd": None, "token": "t", "plan": said}))
    ended = subprocess.run(
        plugin.uml_launch_worker(plan=plan()).argv,
        env={**os.environ, "UML_LAUNCH_FILE": str(file)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 1
    told = diagnosed(*ended.stderr.splitlines())
    assert told.code == "unsupported_architecture"
    assert "does not know models of the kind 'Kimi9ForCausalLM'" in told.message
