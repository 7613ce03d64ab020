"""A gateway process of its own over a folder of real files: killed in a scan, and watching its folders."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from uml_core.client import UniversalClient
from uml_core.errors import UnavailableError
from uml_core.testing.gguf import write_gguf

SERVE = """
import json, sys
from pathlib import Path
from uml_core.server.run import run
from uml_core.settings import Settings
settings = Settings(
    data_dir=Path(sys.argv[1]), server={"port": 0}, registry=json.loads(sys.argv[2]), plugins={"allow": []}
)
run(settings, on_ready=lambda gateway: print(gateway.url, flush=True))
"""
OTHERS = ("HF_", "HUGGINGFACE_", "LLAMA_", "OLLAMA_", "XDG_")
"""What the variables begin with that would lead to models of the person who runs the tests."""
TOKENS = [f"token {number}" for number in range(40_000)]
MODELS = 300


@contextlib.contextmanager
def served(folder, **registry):
    """A gateway process and its client; killed at the end if it is still there."""
    environment = {**os.environ, "UML_CONFIG": str(folder / "none.toml"), "HOME": str(folder)}
    environment = {name: value for name, value in environment.items() if not name.startswith(("HF_", "XDG_", "OLLAMA"))}
    command = [sys.executable, "-c", SERVE, str(folder), json.dumps(registry)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as one:
        try:
            yield one, UniversalClient(one.stdout.readline().strip(), timeout_s=60)
        finally:
            one.kill()


def write(folder, name, *, tokens=()):
    path = folder / "models" / f"{name}.gguf"
    path.parent.mkdir(exist_ok=True)
    words = {"tokenizer.ggml.tokens": list(tokens)} if tokens else {}
    fresh = path.with_suffix(".part")
    write_gguf(fresh, {"general.architecture": "llama", "general.name": name, **words}, tensors={"w": [4, 8]})
    return fresh.rename(path)


def write_many(folder, count):
    """Models whose headers take some milliseconds each, alike but for their names, which are in their vocabularies."""
    data = write(folder, "m000", tokens=["m000", *TOKENS]).read_bytes()
    for number in range(1, count):
        (folder / "models" / f"m{number:03}.gguf").write_bytes(data.replace(b"m000", b"m%03d" % number))


def within(seconds, condition):
    """Wait until something is so; the first true answer."""
    until_s = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < until_s, "it did not happen in time"
        time.sleep(0.05)
    return answer


def test_a_kill_in_a_scan_loses_nothing_that_was_read(tmp_path):
    write_many(tmp_path, MODELS)
    seen = 0
    with served(tmp_path) as (process, client):
        client.set_alias("first", "m000")
        client.pin("m001")

        def kill_when_some_are_read(job):
            nonlocal seen
            seen = (job["progress"] or {}).get("done") or 0
            if seen >= 20 and process.poll() is None:
                assert not job["finished"]
                process.kill()

        with pytest.raises(UnavailableError, match="gateway ended during the scan of the models"):
            client.scan(on_progress=kill_when_some_are_read)
        process.wait(20)
    with served(tmp_path) as (_, client):
        report = client.scan()["report"]
        assert report["models"] == MODELS
        assert 20 <= seen <= report["unchanged"] < MODELS
        assert report["read"] == MODELS - report["unchanged"]
        assert (client.model("first")["id"], client.model("m001")["pinned"]) == ("m000", True)
    with served(tmp_path) as (process, client):
        cards = client.models()
        assert len(cards) == MODELS
        assert not any(card.get("pending") for card in cards)
        assert client.jobs() == [], "what is known needs no scan"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_scan_holds_up_neither_the_end_of_the_gateway_nor_its_client(tmp_path):
    write_many(tmp_path, MODELS)
    with served(tmp_path) as (process, client):
        client.scan(wait=False)
        begun_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - begun_s < 8


def test_watching_finds_what_comes_changes_and_goes(tmp_path):
    pytest.importorskip("watchfiles")
    first = write(tmp_path, "first")
    with served(tmp_path, watch=True) as (process, client):

        def reported(**counts):
            """Whether a scan has found just that; others may have come since."""
            reports = [job["report"] for job in client.jobs() if job["report"]]
            return any(counts.items() <= report.items() for report in reports)

        within(20, lambda: reported(models=1, read=1))
        write(tmp_path, "second")
        within(20, lambda: reported(models=2, read=1, unchanged=1))
        write(tmp_path, "second", tokens=TOKENS)
        within(20, lambda: len([job for job in client.jobs() if (job["report"] or {}).get("read") == 1]) == 3)
        first.unlink()
        within(20, lambda: reported(models=1, gone=1))
        assert [card["id"] for card in client.models()] == ["second"]
        assert {job["reason"] for job in client.jobs()} == {"something has changed in a folder of models"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
