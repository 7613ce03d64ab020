"""Loading and unloading: jobs that outlive who asked for them."""

from __future__ import annotations

import asyncio

import pytest

from uml_core.errors import InvalidModelFileError, ModelLoadError, SlotQuarantinedError

BROKEN = InvalidModelFileError("'other' is truncated; fetch it again", detail=["last words"])


async def test_a_load_is_answered_at_once_with_its_job(start_gateway, until):
    gateway = await start_gateway(loading=asyncio.Event())
    body = {"model": "other", "context_length": 512, "options": {"a": 1}}
    response = await gateway.http.post("/load_model", json=body)
    job = response.json()
    assert (response.status_code, response.headers["location"]) == (202, f"/jobs/{job['id']}")
    assert (job["kind"], job["model"], job["finished"], job["previous"]) == ("load", "other", None, "org/model")
    assert job["progress"] == {
        "stage": "loading",
        "part": 0.5,
        "source": "log",
        "bytes_done": None,
        "bytes_total": None,
        "elapsed_s": 0.0,
        "eta_s": None,
    }
    gateway.supervisor.loading.set()
    await until(lambda: gateway.supervisor.loaded == "other")
    (load,) = gateway.supervisor.loads
    assert (load.model, load.context_length, load.options) == ("other", 512, {"a": 1})


async def test_who_waits_gets_the_end(start_gateway):
    gateway = await start_gateway()
    response = await gateway.http.post("/load_model", json={"model": "other", "wait": True})
    job = response.json()
    assert (response.status_code, job["state"], job["switched"], job["port"]) == (200, "committed", True, 18650)
    assert (job["context_length"], job["tasks"]) == (4096, ["text-generation"])


async def test_who_waits_for_so_long_only_gets_the_job_then(start_gateway):
    gateway = await start_gateway(loading=asyncio.Event())
    response = await gateway.http.post("/load_model", json={"model": "other", "wait": True, "timeout_s": 0.05})
    assert (response.status_code, response.json()["state"]) == (202, "starting")
    assert not gateway.supervisor.tasks["job_1"].done()


async def test_what_is_loaded_already_is_done(start_gateway):
    gateway = await start_gateway()
    response = await gateway.http.post("/load_model", json={"model": "org/model"})
    assert (response.status_code, response.json()["state"], response.json()["switched"]) == (200, "committed", False)


async def test_unload_waits_and_need_not(start_gateway):
    gateway = await start_gateway(loading=asyncio.Event())
    at_once = await gateway.http.post("/unload_model", json={"wait": False})
    assert (at_once.status_code, at_once.json()["kind"]) == (202, "unload")
    gateway.supervisor.loading.set()
    waited = await gateway.http.post("/unload_model", json={})
    assert (waited.status_code, waited.json()["state"]) == (200, "committed")
    assert gateway.supervisor.loaded is None


@pytest.mark.parametrize(
    ("failure", "status", "headers"),
    [
        (BROKEN, 422, {"x-should-retry": "false"}),
        (ModelLoadError("the worker ended"), 500, {"x-should-retry": "false"}),
        (SlotQuarantinedError("a process is left", retry_after_s=5), 503, {"retry-after": "5"}),
    ],
)
async def test_a_load_that_fails_says_why_and_what_became_of_it(start_gateway, failure, status, headers):
    gateway = await start_gateway(failure=failure)
    response = await gateway.http.post("/load_model", json={"model": "other", "wait": True})
    error, job = response.json()["error"], response.json()["job"]
    assert (response.status_code, error["code"], error["message"]) == (status, failure.code, failure.message)
    assert (job["state"], job["rolled_back"], job["cause"]["code"]) == ("rolled_back", True, failure.code)
    said = {name: value for name, value in response.headers.items() if name in {"x-should-retry", "retry-after"}}
    assert said == headers
    assert response.headers["x-request-id"].startswith("req_")
    assert ("detail" in error) == (failure is BROKEN)


@pytest.mark.parametrize("wait", [True, False])
async def test_a_client_that_leaves_aborts_nothing(start_gateway, until, wait):
    gateway = await start_gateway(loading=asyncio.Event())
    request = asyncio.create_task(gateway.http.post("/load_model", json={"model": "other", "wait": wait}))
    await until(lambda: gateway.supervisor.known)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await until(lambda: gateway.in_flight.count == 0)
    assert not gateway.supervisor.job("job_1").ended
    gateway.supervisor.loading.set()
    assert (await gateway.supervisor.wait("job_1")).switched


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "model"),
        ({"model": ""}, 400, "model"),
        ({"model": "other", "extra": 1}, 400, "extra"),
        ({"model": "other", "parallel": 0}, 400, "parallel"),
        ({"model": "other", "context_length": 10**9}, 400, "context_length"),
        ({"model": "other", "options": [1]}, 400, "options"),
        ({"model": "other", "wait": "perhaps"}, 400, "wait"),
        ({"model": "other", "timeout_s": 0}, 400, "timeout_s"),
        ({"model": "/etc/passwd"}, 400, "model"),
        ({"model": "./x.gguf"}, 400, "model"),
        ({"model": "../x.gguf"}, 400, "model"),
        ({"model": "~/x.gguf"}, 400, "model"),
        ({"model": "C:\\x.gguf"}, 400, "model"),
        ({"model": "a/../../x"}, 400, "model"),
        ({"model": "nobody"}, 404, "model"),
    ],
)
async def test_a_load_that_is_refused_touches_nothing(start_gateway, body, status, param):
    gateway = await start_gateway()
    response = await gateway.http.post("/load_model", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert (gateway.supervisor.known, gateway.supervisor.loaded) == ({}, "org/model")


async def test_unload_takes_no_model(start_gateway):
    gateway = await start_gateway()
    response = await gateway.http.post("/unload_model", json={"model": "x"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
    assert gateway.supervisor.loaded == "org/model"


class Keyed:
    def __init__(self, gateway, key="a key"):
        self.gateway = gateway
        self.headers = {"Idempotency-Key": key}

    async def __call__(self, path="/load_model", **body):
        return await self.gateway.http.post(path, json=body, headers=self.headers)


async def test_the_same_key_and_the_same_order_are_one_job(start_gateway):
    gateway = await start_gateway(loading=asyncio.Event())
    keyed = Keyed(gateway)
    first, second = await asyncio.gather(keyed(model="other"), keyed(model="other"))
    assert first.json()["id"] == second.json()["id"] == "job_1"
    waiting = asyncio.create_task(keyed(model="other", wait=True))
    gateway.supervisor.loading.set()
    assert ((await waiting).status_code, (await waiting).json()["state"]) == (200, "committed")
    gateway.supervisor.loaded = None
    assert (await keyed(model="other")).json()["id"] == "job_1", "also long after its end"
    assert (await Keyed(gateway, "another")(model="other")).json()["id"] == "job_2"


async def test_unloads_have_keys_too(start_gateway):
    gateway = await start_gateway()
    keyed = Keyed(gateway)
    ids = {(await keyed("/unload_model")).json()["id"] for _ in range(3)}
    assert ids == {"job_1"}


async def test_another_order_under_the_same_key_is_refused(start_gateway):
    gateway = await start_gateway()
    keyed = Keyed(gateway, "k-1")
    await keyed(model="other")
    for again in (keyed(model="other", parallel=2), keyed(model="org/model"), keyed("/unload_model")):
        response = await again
        assert (response.status_code, response.json()["error"]["code"]) == (409, "idempotency_conflict")
        assert "'Idempotency-Key: k-1'" in response.json()["error"]["message"]
    assert list(gateway.supervisor.known) == ["job_1"]


async def test_a_key_whose_order_was_refused_is_free_again(start_gateway):
    gateway = await start_gateway()
    keyed = Keyed(gateway)
    assert (await keyed(model="nobody")).status_code == 404
    assert (await keyed(model="other", wait=True)).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ä".encode()])
async def test_keys_that_are_none(start_gateway, key):
    gateway = await start_gateway()
    response = await Keyed(gateway, key)(model="other")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert "Idempotency-Key" in response.json()["error"]["message"]
    assert gateway.supervisor.known == {}


async def test_the_longest_key(start_gateway):
    gateway = await start_gateway()
    assert (await Keyed(gateway, "~ " * 127 + "~")(model="other", wait=True)).status_code == 200
