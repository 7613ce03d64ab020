"""onnxruntime's wheels report home and write a device's id; a worker's must not, wherever it was started from."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(sys.platform != "linux", reason="looks where Linux has it")]

NOTHING = "import time; time.sleep(1)"
ENGINES = ["uml_onnx.session", "uml_onnx.genai"]


def written(home, code):
    """What a fresh process that runs *code* leaves in its home."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=env, timeout=60)
    return sorted(str(file.relative_to(home)) for file in home.rglob("*"))


@pytest.mark.parametrize("module", ENGINES)
def test_nothing_is_reported(tmp_path, module):
    if module.endswith("genai"):
        pytest.importorskip("onnxruntime_genai")
    assert written(tmp_path, f"import {module}; {NOTHING}") == []


def test_without_that_it_would_be(tmp_path):
    """That the test above can fail; should it fail itself, onnxruntime reports no more by itself."""
    assert written(tmp_path, f"import onnxruntime; {NOTHING}")
