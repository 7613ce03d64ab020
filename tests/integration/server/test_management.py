"""Looking: what is loaded, what could be, and whether all is well."""

from __future__ import annotations

import asyncio
import threading
import time

from uml_core.errors import ShuttingDownError


async def test_what_is_loaded(start_gateway):
    gateway = await start_gateway()
    active = (await gateway.http.get("/active_model")).json()
    assert active["performance"] == {"requests": 0, "tokens_per_second": None, "time_to_first_token_s": None}
    assert {name: active[name] for name in ("model", "type", "backend", "state", "port", "token_limit")} == {
        "model": "org/model",
        "type": "text-generation",
        "backend": "fake",
        "state": "ready",
        "port": 18650,
        "token_limit": 4096,
    }
    assert (active["restarts"], active["health"], active["queue"], active["job"]) == (0, "ok", 0, None)
    await gateway.http.post("/unload_model", json={})
    assert (await gateway.http.get("/active_model")).json() == {"model": None, "queue": 0, "job": None}


async def test_the_job_at_work_is_seen_although_nothing_is_loaded(start_gateway):
    gateway = await start_gateway(loaded=None, loading=asyncio.Event())
    await gateway.http.post("/load_model", json={"model": "other"})
    said = (await gateway.http.get("/active_model")).json()
    assert (said["model"], said["job"]["model"], said["job"]["progress"]["part"]) == (None, "other", 0.5)


async def test_openai_lists_only_what_can_be_loaded(start_gateway):
    gateway = await start_gateway()
    listed = (await gateway.http.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [(model["id"], model["object"], model["owned_by"]) for model in listed["data"]] == [
        ("org/model", "model", "folder"),
        ("other", "model", "folder"),
    ]
    assert all(abs(model["created"] - time.time()) < 600 for model in listed["data"])
    assert (await gateway.http.get("/v1/models/org/model")).json()["id"] == "org/model"
    gateway.registry.records.set_alias("alias", "org/model")
    assert (await gateway.http.get("/v1/models/alias")).json()["id"] == "org/model"
    assert (await gateway.http.get("/v1/models/nobody")).status_code == 404


async def test_lists_share_one_scan(start_gateway):
    gateway = await start_gateway()
    await asyncio.gather(*(gateway.http.get("/models") for _ in range(20)))
    assert gateway.registry.scans == 1


async def test_looking_is_answered_while_a_model_loads_and_the_disk_is_slow(start_gateway, until, monkeypatch):
    gateway = await start_gateway(loaded=None, loading=asyncio.Event())
    slow_disk = threading.Event()
    scan = type(gateway.registry).models

    def models(registry):
        assert slow_disk.wait(10)
        return scan(registry)

    load = asyncio.create_task(gateway.http.post("/load_model", json={"model": "other", "wait": True}))
    await until(lambda: gateway.supervisor.known)
    monkeypatch.setattr(type(gateway.registry), "models", models)
    listing = asyncio.create_task(gateway.http.get("/models"))
    for path in ("/livez", "/readyz", "/active_model", "/plugins"):
        assert (await gateway.http.get(path)).status_code == 200
    assert not listing.done()
    slow_disk.set()
    gateway.supervisor.loading.set()
    assert ((await listing).status_code, (await load).status_code) == (200, 200)


async def test_ready_with_no_model_loaded_but_not_when_nothing_is_taken(start_gateway):
    gateway = await start_gateway(loaded=None)
    ready = {"status": "ok", "model": None, "state": "unloaded", "reason": None, "degraded": []}
    response = await gateway.http.get("/readyz")
    assert (response.status_code, response.json()) == (200, ready)
    gateway.supervisor.why_not = "slot 0 is quarantined: process 12 can't be ended"
    response = await gateway.http.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    assert response.json()["reason"] == gateway.supervisor.why_not
    gateway.in_flight.draining = True
    assert (await gateway.http.get("/readyz")).json()["reason"] == ShuttingDownError().message
    assert (await gateway.http.get("/livez")).status_code == 200


async def test_ready_although_the_disk_is_full(start_gateway):
    gateway = await start_gateway()
    gateway.storage.degraded = "the disk is full"
    response = await gateway.http.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "ok")
    assert response.json()["degraded"] == ["storage: the disk is full"]


async def test_plugins_are_listed(start_gateway):
    gateway = await start_gateway()
    cards = (await gateway.http.get("/plugins")).json()["data"]
    assert [card["name"] for card in cards] == ["formats", "stores", "tasks"]
    assert cards[2] == {
        "name": "tasks",
        "distribution": "uml-core",
        "status": "loaded",
        "reason": "",
        "hooks": ["uml_tasks"],
        "backend": None,
    }


async def test_the_schema_has_every_path_and_no_page_is_served(start_gateway):
    gateway = await start_gateway()
    schema = (await gateway.http.get("/openapi.json")).json()
    assert {"/v1/chat/completions", "/v1/completions", "/v1/models", "/load_model", "/models"} <= set(schema["paths"])
    assert {"/jobs", "/jobs/{job_id}", "/jobs/{job_id}/events", "/events", "/queue"} <= set(schema["paths"])
    assert {"/models/{id}", "/models/scan", "/aliases/{alias}", "/pins/{id}", "/profiles"} <= set(schema["paths"])
    assert schema["paths"]["/jobs/{job_id}/events"]["get"]["parameters"][0]["name"] == "job_id"
    body = schema["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/CreateChatCompletionRequest"}
    assert "ChatCompletionRequestMessage" in schema["components"]["schemas"]
    for path in ("/docs", "/redoc"):
        assert (await gateway.http.get(path)).status_code == 404


async def test_each_path_says_what_it_does(start_gateway):
    gateway = await start_gateway()
    for path, methods in (await gateway.http.get("/openapi.json")).json()["paths"].items():
        for method, said in methods.items():
            assert said["summary"], (path, method)
            if "tags" in said and said["tags"] == ["models"]:
                assert said["description"].rstrip().endswith((".", "`{}`.")), (path, method)
