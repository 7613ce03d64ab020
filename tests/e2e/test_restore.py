"""`[supervisor] restore = true`: the next gateway loads what the last one served, and with the same options."""

import json
import signal
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"
OPTIONS = {"backend": "llamaserver", "context_length": 1536, "parallel": 2, "options": {"n_batch": 384}}


@pytest.fixture
def restoring(gateway):
    (gateway.data / "uml.toml").write_text("[supervisor]\nrestore = true\n")
    return gateway.start()


def jobs(gateway):
    return httpx.get(f"{gateway.url}/jobs").json()["data"]


def launched(active):
    file = Path(psutil.Process(active["pid"]).environ()["UML_LAUNCH_FILE"])
    return json.loads(file.read_text())["plan"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_last_model_comes_back_with_its_options(restoring, number):
    restoring.load(MODEL, **OPTIONS)
    before = launched(restoring.active())
    restoring.stop(number)
    restoring.start()
    restoring.until(lambda: restoring.active().get("state") == "ready", limit_s=30)
    after = restoring.active()
    assert (after["model"], after["backend"]) == (MODEL, "llamaserver")
    assert (after["context_length"], after["parallel"]) == (1536, 2)
    assert launched(after) == before
    assert [job["model"] for job in jobs(restoring)] == [MODEL]


def test_what_was_unloaded_stays_so(restoring):
    restoring.load(MODEL)
    httpx.post(f"{restoring.url}/unload_model", json={}, timeout=60).raise_for_status()
    restoring.stop(signal.SIGKILL)
    restoring.start()
    answer = restoring.openai.completions.create(model=MODEL, prompt="Hello", max_tokens=2)
    assert answer.choices[0].text
    assert len(jobs(restoring)) == 1, "the request loaded it, and nothing else did"


def test_a_model_that_is_gone_keeps_nobody_from_starting(restoring, tmp_path):
    restoring.load(MODEL)
    restoring.stop()
    restoring.environment["UML_MODELS_DIR"] = str(tmp_path / "empty")
    restoring.start()
    restoring.until(lambda: [job["state"] for job in jobs(restoring)] == ["failed"])
    assert jobs(restoring)[0]["cause"]["code"] == "model_not_found"
    assert restoring.active()["model"] is None
    assert httpx.get(f"{restoring.url}/readyz").status_code == 200
