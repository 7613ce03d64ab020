"""A real model: planned, loaded exactly as it was shown, measured, and the next plan has learned from it."""

import json

import pytest

from uml_core.client import UniversalClient
from uml_core.errors import InsufficientMemoryError

pytestmark = pytest.mark.engine
SMOL = "SmolLM2-135M-Instruct.Q4_1"
MB = 10**6
PROMPT = [{"role": "user", "content": "one two three four five six seven eight " * 100}]


@pytest.fixture(params=["llamaserver", "llamacpp"])
def backend(request):
    return request.param


def test_what_was_shown_is_loaded_measured_and_learned_from(gateway, smollm2, backend):
    client = UniversalClient(gateway.start().url)
    plan = client.plan(SMOL, backend=backend, context_length=4096)
    assert (plan["fits"], plan["backend"], plan["context_length"]) == (True, backend, 4096)
    (machine,) = (device for device in plan["memory"]["devices"] if device["device"] == "cpu")
    weights, cache = (
        next(part for part in machine["parts"] if part["kind"] == kind) for kind in ("weights", "kv_cache")
    )
    assert abs(weights["size_bytes"] - smollm2.stat().st_size) <= max(0.05 * weights["size_bytes"], 16 * MB)
    assert cache["size_bytes"] == 30 * 3 * (64 + 64) * 2 * 4096
    job = client.load(**plan["load"])
    assert (job["model"], job["backend"], job["context_length"]) == (SMOL, backend, 4096)
    assert client.load(**plan["load"])["switched"] is False
    with client.chat(PROMPT, max_tokens=8) as answer:
        list(answer)  # it may have nothing to say to that
    assert answer.usage["prompt_tokens"] > 512, "no full batch was computed"

    def measured():
        memory = client.active()["memory"]
        return memory["measured_bytes"] is not None and abs(
            memory["measured_bytes"] - plan["memory"]["needs_bytes"]
        ) <= max(0.1 * memory["measured_bytes"], 64 * MB)

    gateway.until(measured)
    client.unload()
    learned = client.plan(SMOL, backend=backend, context_length=2048)
    assert learned["memory"]["loads"] >= 1
    assert learned["memory"]["needs_bytes"] < plan["memory"]["needs_bytes"]


def test_what_can_not_fit_is_refused_with_nothing_touched(gateway):
    gateway.environment["UML_MEMORY__MARGIN_MB"] = str(2**40)
    client = UniversalClient(gateway.start().url)
    client.load(SMOL, force=True, context_length=512)
    pid = client.active()["pid"]
    with pytest.raises(InsufficientMemoryError) as refused:
        client.load(SMOL, context_length=4096)
    assert SMOL in refused.value.message
    assert refused.value.detail
    assert client.active()["pid"] == pid
    shown = gateway.uml("load", SMOL, "--ctx", "4096", "--dry-run", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["fits"]) == (4, False)
