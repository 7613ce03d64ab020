"""What a real engine takes is measured, and the next plan of the model says it."""

import httpx
import pytest

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"
MB = 1_000_000
PROMPT = "one two three four five six " * 100
"""More than a batch of 512 tokens."""


def compute(memory):
    """What was measured of it, in bytes; 0 until then."""
    return sum(part["measured_bytes"] or 0 for part in memory["parts"] if part["kind"] == "compute")


@pytest.mark.parametrize("backend", ["llamaserver", "llamacpp"])
def test_the_estimate_follows_what_was_measured(gateway, backend):
    gateway.start()
    for number in range(4):
        gateway.load(MODEL, backend=backend, context_length=1024)
        gateway.until(lambda: gateway.active()["memory"]["measured_bytes"])
        ready = compute(gateway.active()["memory"])
        answer = gateway.openai.completions.create(model=MODEL, prompt=PROMPT, max_tokens=1)
        assert answer.usage.prompt_tokens > 512
        gateway.until(lambda ready=ready: compute(gateway.active()["memory"]) > ready + 4 * MB)
        memory = gateway.active()["memory"]
        assert memory["loads"] == number
        assert httpx.post(f"{gateway.url}/unload_model", json={"wait": True}, timeout=60).status_code == 200
    measured = {part["kind"]: part["measured_bytes"] for part in memory["parts"]}
    assert set(measured) == {"weights", "kv_cache", "compute", "overhead"}
    for part in memory["parts"]:
        assert abs(part["size_bytes"] - part["measured_bytes"]) < 4 * MB, part
    assert memory["low_bytes"] - 2 * MB <= memory["measured_bytes"] <= memory["high_bytes"]
    assert memory["high_bytes"] - memory["low_bytes"] < 0.1 * memory["needs_bytes"]
