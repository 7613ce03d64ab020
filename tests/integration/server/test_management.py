"""Loading, unloading and looking."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest


async def test_load_and_unload(start_gateway):
    gateway = await start_gateway(loaded=None)
    response = await gateway.http.post(
        "/load_model", json={"model": "other", "context_length": 512, "options": {"a": 1}}
    )
    body = response.json()
    assert body.pop("seconds") >= 0
    assert body == {
        "model": "other",
        "backend": "fake",
        "state": "ready",
        "port": 18650,
        "context_length": 4096,
        "tasks": ["text-generation"],
        "reason": "",
    }
    (load,) = gateway.supervisor.loads
    assert (load.model, load.context_length, load.options) == ("other", 512, {"a": 1})
    assert (await gateway.http.post("/unload_model", json={})).json() == {"unloaded": "other"}
    assert (await gateway.http.post("/unload_model", json={})).json() == {"unloaded": None}


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "model"),
        ({"model": ""}, 400, "model"),
        ({"model": "other", "extra": 1}, 400, "extra"),
        ({"model": "other", "parallel": 0}, 400, "parallel"),
        ({"model": "other", "context_length": 10**9}, 400, "context_length"),
        ({"model": "other", "options": [1]}, 400, "options"),
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
    assert (gateway.supervisor.loads, gateway.supervisor.loaded) == ([], "org/model")


async def test_unload_takes_nothing_but_an_empty_object(start_gateway):
    gateway = await start_gateway()
    response = await gateway.http.post("/unload_model", json={"model": "x"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
    assert gateway.supervisor.loaded == "org/model"


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
    await gateway.http.post("/unload_model", json={})
    assert (await gateway.http.get("/active_model")).json() == {"model": None}


async def test_models_are_listed_with_what_is_wrong(start_gateway):
    gateway = await start_gateway()
    listed = (await gateway.http.get("/models")).json()["data"]
    assert [(card["id"], card["format"], card["status"]["value"]) for card in listed] == [
        ("org/model", "gguf", "loaded"),
        ("other", "gguf", "unloaded"),
        ("broken", None, "unloaded"),
    ]
    assert listed[2]["error"] == "'broken' is truncated; fetch it again"
    assert "error" not in listed[0]
    assert not any("path" in card for card in listed)


async def test_openai_lists_only_what_can_be_loaded(start_gateway):
    gateway = await start_gateway()
    listed = (await gateway.http.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [(model["id"], model["object"], model["owned_by"]) for model in listed["data"]] == [
        ("org/model", "model", "folder"),
        ("other", "model", "folder"),
    ]
    assert all(abs(model["created"] - time.time()) < 60 for model in listed["data"])
    assert (await gateway.http.get("/v1/models/org/model")).json()["id"] == "org/model"
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

    load = asyncio.create_task(gateway.http.post("/load_model", json={"model": "other"}))
    await until(lambda: gateway.supervisor.waiting == 1)
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
    response = await gateway.http.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "model": None, "state": "unloaded"})
    gateway.supervisor.accepting = False
    assert (await gateway.http.get("/readyz")).status_code == 503
    assert (await gateway.http.get("/livez")).status_code == 200


async def test_plugins_are_listed(start_gateway):
    gateway = await start_gateway()
    (card,) = (await gateway.http.get("/plugins")).json()["data"]
    assert card == {
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
    body = schema["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/CreateChatCompletionRequest"}
    assert "ChatCompletionRequestMessage" in schema["components"]["schemas"]
    for path in ("/docs", "/redoc"):
        assert (await gateway.http.get(path)).status_code == 404
