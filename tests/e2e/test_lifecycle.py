"""What a user does to a gateway, and what is left of it afterwards."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from uml_core.testing.gguf import write_gguf

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"
BACKENDS = ["llamaserver", "llamacpp"]


def gone(processes, limit_s=2.0):
    _, alive = psutil.wait_procs(processes, timeout=limit_s)
    return not alive


@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_leaves_no_process(gateway, backend):
    gateway.start().load(MODEL, backend=backend)
    offspring = gateway.offspring()
    assert len(offspring) >= 2, "a guard and an engine"
    gateway.stop(signal.SIGKILL)
    assert gone(offspring)


@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_in_the_middle_of_a_load_leaves_no_process(gateway, backend):
    gateway.start()

    def load():
        with pytest.raises(httpx.HTTPError):
            gateway.load(MODEL, backend=backend)

    loading = threading.Thread(target=load)
    loading.start()
    gateway.until(lambda: len(gateway.offspring()) >= 2)
    offspring = gateway.offspring()
    gateway.stop(signal.SIGKILL)
    loading.join()
    assert gone(offspring)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_properly(gateway, number):
    gateway.start().load(MODEL)
    offspring = gateway.offspring()
    gateway.stop(number)
    assert gateway.process.returncode == 0
    assert gone(offspring)
    assert not gateway.file.exists()
    assert list((gateway.data / "run").glob("launch-*")) == []


def test_the_next_start_after_kill_9_works(gateway):
    gateway.start().load(MODEL)
    gateway.stop(signal.SIGKILL)
    gateway.start().load(MODEL)
    assert gateway.active()["model"] == MODEL


def test_a_second_gateway_on_the_same_folder_is_refused(gateway):
    gateway.start()
    second = gateway.uml("serve", "--port", "0")
    assert second.returncode == 5
    assert str(gateway.process.pid) in second.stderr
    assert gateway.url in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_names_the_holder(gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = gateway.uml("serve", "--port", str(port))
    assert refused.returncode == 5
    assert str(port) in refused.stderr
    assert str(os.getpid()) in refused.stderr


def test_a_truncated_file_leaves_the_loaded_model_alone(gateway, tmp_path, smollm2):
    models = tmp_path / "models"
    models.mkdir()
    (models / "whole.gguf").symlink_to(smollm2)
    content = Path(smollm2).read_bytes()
    (models / "cut-header.gguf").write_bytes(content[:100_000])
    (models / "cut-weights.gguf").write_bytes(content[: len(content) // 2])
    (models / "text.gguf").write_text("hello")
    gateway.environment["UML_MODELS_DIR"] = str(models)
    gateway.start().load("whole")
    pid = gateway.active()["pid"]
    for name in ("cut-header", "cut-weights", "text"):
        answer = httpx.post(f"{gateway.url}/load_model", json={"model": name, "wait": True}, timeout=60)
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert error["code"] == "invalid_model_file"
        assert name in error["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert (
        httpx.post(f"{gateway.url}/load_model", json={"model": "whole", "backend": "magic", "wait": True}).status_code
        == 400
    )
    assert gateway.active()["pid"] == pid
    listed = {row["id"]: row for row in httpx.get(f"{gateway.url}/models").json()["data"]}
    assert "error" in listed["cut-weights"], "a broken file is listed with its reason"


def test_parts_of_models_are_no_models(gateway, tmp_path, smollm2):
    models = tmp_path / "models"
    models.mkdir()
    (models / "whole.gguf").symlink_to(smollm2)
    write_gguf(models / "a-projector.gguf", {"general.architecture": "clip"}, tensors={"v": (32,)})
    write_gguf(
        models / "an-adapter.gguf", {"general.architecture": "llama", "general.type": "adapter"}, tensors={"v": (32,)}
    )
    gateway.environment["UML_MODELS_DIR"] = str(models)
    assert "projector" not in gateway.uml("list").stdout
    assert "a-projector" in gateway.uml("list", "--all").stdout
    done = gateway.uml("run", "Say hello.", "--max-tokens", "4", "--json")
    assert json.loads(done.stdout)["model"] == "whole", "the first in the list is none"
    gateway.start()
    assert [row.id for row in gateway.openai.models.list()] == ["whole"]
    refused = httpx.post(f"{gateway.url}/load_model", json={"model": "a-projector", "wait": True}, timeout=60)
    assert refused.status_code == 422
    assert "projector" in refused.json()["error"]["message"]


def test_management_answers_while_a_model_loads(gateway):
    gateway.start()
    loading = threading.Thread(target=gateway.load, args=(MODEL,))
    loading.start()
    slowest = 0.0
    while loading.is_alive():
        before = time.monotonic()
        assert httpx.get(f"{gateway.url}/readyz").status_code == 200
        slowest = max(slowest, time.monotonic() - before)
    loading.join()
    assert slowest < 5, "it is never kept for as long as a load"


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_answers_without_a_gateway_and_leaves_nothing(gateway, backend):
    done = gateway.uml(
        "run", "-m", MODEL, "--backend", backend, "Count from 1 to 10.", "--temperature", "0", "--max-tokens", "32"
    )
    assert done.returncode == 0, done.stderr
    assert "1. 1\n2. 2" in done.stdout
    own = str(gateway.data / "run")
    left = [pid for pid in psutil.pids() if environ_of(pid).get("UML_LAUNCH_FILE", "").startswith(own)]
    assert left == []


def test_run_takes_a_relative_path(gateway, tmp_path, smollm2):
    (tmp_path / "mine.gguf").symlink_to(smollm2)
    done = gateway.uml("run", "./mine.gguf", "Say hello.", "--max-tokens", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def environ_of(pid):
    try:
        return psutil.Process(pid).environ()
    except psutil.Error:
        return {}


def test_run_uses_the_live_gateway(gateway):
    gateway.start()
    done = gateway.uml("run", MODEL, "Say hello.", "--max-tokens", "8")
    assert done.returncode == 0, done.stderr
    assert gateway.active()["model"] == MODEL
    assert gateway.active()["performance"]["requests"] == 1


def test_without_a_model_and_a_terminal_run_says_what_it_would_fetch(gateway, tmp_path):
    gateway.environment["UML_MODELS_DIR"] = str(tmp_path / "empty")
    done = gateway.uml("run", "Why is the sky blue?")
    assert done.returncode == 3
    for word in ("SmolLM2-135M-Instruct", "93 MB", "Apache-2.0", "--pull"):
        assert word in done.stderr


def test_no_telemetry_and_no_secret_in_the_worker(gateway):
    gateway.environment["OPENAI_API_KEY"] = "sk-secret"
    gateway.start().load(MODEL)
    environment = psutil.Process(gateway.active()["pid"]).environ()
    assert "OPENAI_API_KEY" not in environment
    for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "DO_NOT_TRACK"):
        assert environment[name] == "1"


def test_the_worker_speaks_only_to_loopback(gateway):
    gateway.start().load(MODEL)
    httpx.post(
        f"{gateway.url}/v1/completions", json={"model": MODEL, "prompt": "hi", "max_tokens": 4}, timeout=60
    ).raise_for_status()
    for process in gateway.offspring():
        for connection in process.net_connections("inet"):
            assert connection.laddr.ip in {"127.0.0.1", "::1"}
            assert not connection.raddr or connection.raddr.ip in {"127.0.0.1", "::1"}


def test_version_and_help(gateway):
    assert gateway.uml("--version").stdout.strip().endswith("0.1.0")
    for command in ("serve", "run", "list", "load", "unload", "ps", "plugins", "pull", "logs"):
        assert gateway.uml(command, "--help").returncode == 0
