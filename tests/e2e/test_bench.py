"""`uml bench` with a real engine: what it finds is what the next load takes."""

import json

import pytest

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"


def test_a_real_model_is_measured(gateway):
    measured = gateway.uml("bench", MODEL, "--quick", "--no-threads", "--json", "--context-length", "1024")
    assert measured.returncode == 0, measured.stderr
    said = json.loads(measured.stdout)
    assert {view["backend"] for view in said["backends"]} == {"llamaserver", "llamacpp"}
    for view in said["backends"]:
        assert view["decode_tokens_per_s"][0] > 1
        assert view["prompt_tokens_per_s"][0] > 1
        assert view["memory_bytes"][0] > 90_000_000  # the file alone has 98 MB
    shown = json.loads(gateway.uml("show", MODEL, "--json").stdout)
    speeds = {profile["backend"]: profile["decode_tokens_per_s"] for profile in shown["profiles"]}
    assert speeds == {
        view["backend"]: pytest.approx(view["decode_tokens_per_s"][0], rel=0.01) for view in said["backends"]
    }
    chosen = next(answer for answer in shown["backends"] if answer["level"])
    assert chosen["name"] == said["chosen"]["backend"]
    assert " here: " in chosen["reason"]
