"""The fuzzers, for some seconds each with a fixed seed, and proof that they see what they look for."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "fuzz"
TARGETS = sorted(path.name for path in FOLDER.glob("fuzz_*.py"))
BROKEN = """
import time
import engine
from engine import main

engine.CPU_S, engine.HANGS_S = {limits}

def check(work, data):
    if data.startswith(b"a"):
        raise KeyError("a reader's own mistake")
    if data.startswith(b"b"):
        until = time.process_time() + 0.6
        while time.process_time() < until:
            pass
    if data.startswith(b"c"):
        bytes(range(256)) * 2**19
    if data.startswith(b"d"):
        try:
            while True:
                time.sleep(0.1)
        except Exception:
            pass

main(check, seeds=[{seed!r}], words=[b"x"])
"""


def fuzz(script: Path, *arguments: str, into: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), "--into", str(into), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)


def test_there_is_one_for_each_reader():
    assert [f"fuzz_{name}.py" for name in ("gguf", "json", "onnx", "pytorch", "safetensors")] == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_files_are_refused_or_read(tmp_path, target):
    runs = "1000" if target == "fuzz_json.py" else "4000"
    done = fuzz(FOLDER / target, "--own", "--runs", runs, into=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "none wrong" in done.stdout


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS)
def test_damaged_files_for_long(tmp_path, target):
    done = fuzz(FOLDER / target, "--seconds", "300", into=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("seed", "said"), [(b"a", "KeyError"), (b"b", "1 bytes took 0."), (b"c", "1 bytes took 128 MiB")]
)
def test_what_breaks_a_promise_is_seen_and_kept(tmp_path, seed, said):
    script = tmp_path / "broken.py"
    limits = (0.3, 60.0) if seed == b"b" else (30.0, 60.0)
    script.write_text(BROKEN.format(seed=seed, limits=limits))
    done = fuzz(script, "--own", "--runs", "40", into=tmp_path / "found")
    assert done.returncode == 1
    assert said in done.stderr
    (found,) = (tmp_path / "found").iterdir()
    assert found.read_bytes() == seed
    again = fuzz(script, str(found), into=tmp_path / "found")
    assert said in again.stderr


def test_a_reader_that_hangs_is_stopped(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text(BROKEN.format(seed=b"d", limits=(30.0, 0.5)))
    done = fuzz(script, "--own", "--runs", "40", into=tmp_path / "found")
    assert done.returncode == 1
    assert "it hangs" in done.stderr


def test_the_same_seed_makes_the_same_inputs():
    spec = importlib.util.spec_from_file_location("mutator", FOLDER / "mutator.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    one, two = (module.Mutator([b"GGUF" + bytes(40), b"{1}"], words=[b"word"], seed=4) for _ in range(2))
    made = [one.next() for _ in range(200)]
    assert made == [two.next() for _ in range(200)]
    assert len(set(made)) > 150
