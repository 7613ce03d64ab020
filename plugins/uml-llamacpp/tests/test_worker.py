"""The worker as a process: what it leaves behind when the model can't be loaded. The rest is the conformance kit's."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from uml_core.types import ModelSource, Plan
from uml_llamacpp import plugin
from uml_llamacpp.options import Options


def run(folder, model, **environment):
    source = ModelSource(path=model, format="gguf", files=(model,), size_bytes=1)
    plan = Plan(model_id="m", model=source, backend="llamacpp", tasks=(), context_length=64)
    said = {"model_id": "m", "backend": "llamacpp", "tasks": [], "context_length": 64}
    said |= {"options": Options().model_dump(), "model": {"path": str(model), "format": "gguf", "files": [str(model)]}}
    launch_file = folder / "launch.json"
    launch_file.write_text(json.dumps({"host": "127.0.0.1", "port": 0, "fd": None, "token": "t", "plan": said}))
    return subprocess.run(
        plugin.uml_launch_worker(plan=plan).argv,
        env={**os.environ, **environment, "UML_LAUNCH_FILE": str(launch_file)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.engine
def test_a_bad_file_is_exit_code_3(tmp_path):
    pytest.importorskip("llama_cpp")
    model = tmp_path / "bad.gguf"
    model.write_bytes(b"GGUF\3\0\0\0and then nonsense")
    ended = run(tmp_path, model)
    assert ended.returncode == 3
    *log, reason = ended.stderr.splitlines()
    assert reason.startswith(f"llama.cpp can't load '{model}': ")
    assert "Traceback (most recent call last):" in log


def test_an_engine_that_can_not_be_imported_is_exit_code_4(tmp_path):
    (tmp_path / "llama_cpp.py").write_text('raise ImportError("libcudart.so.12 is missing")')
    ended = run(tmp_path, Path("m.gguf"), PYTHONPATH=str(tmp_path))
    assert ended.returncode == 4
    assert ended.stderr.splitlines()[-1] == "the engine can't be imported: libcudart.so.12 is missing"
