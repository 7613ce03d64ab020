"""Who may ask, and what ``/health`` says while the model is loaded."""

import httpx
import pytest

from uml_core.worker import PROTOCOL


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("GET", "/nope"), ("POST", "/v1/chat/completions")])
def test_without_the_token_every_path_is_401(worker, method, path, given):
    answer = httpx.request(method, worker.url + path, headers=given)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_unknown_path_is_404_in_the_clients_format(worker):
    answer = worker.http.get("/v1/nope")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "this worker has no 'GET /v1/nope'"


def test_health_tells_of_the_load(start, tmp_path):
    gate = tmp_path / "gate"
    worker = start(gate=str(gate))
    worker.until(lambda: worker.answers() and worker.health().json()["progress"] is not None)
    loading = worker.health()
    assert loading.status_code == 503
    said = loading.json()
    assert said.pop("overhead_bytes") > 1_000_000
    assert said == {"state": "loading", "progress": 0.4, "activity": 2, "queued": 0, "protocol": PROTOCOL}
    early = worker.post("say hello")
    assert early.status_code == 503
    assert early.json()["error"]["code"] == "model_loading"
    assert early.headers["retry-after"] == "1"
    gate.touch()
    worker.wait_ready()
    assert worker.health().json()["state"] == "ready"
    assert worker.health().json()["progress"] == 1.0


@pytest.mark.parametrize(("begins", "counts"), [(True, True), (False, False)], ids=["said so", "said nothing"])
def test_health_tells_what_the_worker_held_when_the_load_said_that_it_begins(start, begins, counts):
    held = 64_000_000
    empty = start().wait_ready().health().json()["overhead_bytes"]
    full = start(engine_bytes=held, begins=begins, weights_bytes=held).wait_ready()
    grown = full.health().json()["overhead_bytes"] - empty
    assert abs(grown - (held if counts else 0)) < 16_000_000


def test_activity_rises_while_it_works(worker):
    before = worker.health().json()["activity"]
    worker.post("count 10")
    assert worker.health().json()["activity"] >= before + 10


def test_without_a_descriptor_it_binds_the_port_itself(start):
    assert start(inherit=False).wait_ready().post("say hello").status_code == 200


def test_the_token_is_never_in_the_log(start):
    worker = start().wait_ready()
    worker.post("fail 0")
    assert worker.terminate() == 0
    assert "canary" not in worker.log
