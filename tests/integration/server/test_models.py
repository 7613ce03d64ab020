"""The models of the machine over HTTP: real files, looked at, named, pinned, measured and removed."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

import pytest

from uml_core import API_VERSION, hookimpl
from uml_core.client import UniversalClient
from uml_core.host.machine import machine_name
from uml_core.types import LoadRequest, ModelStore, Profile, Unreadable

CARD = {
    "id", "name", "variant", "store", "also", "size_bytes", "kind", "format", "architecture", "parameters",
    "quantization", "bits_per_weight", "context_length", "license", "modalities", "tasks", "complete", "missing",
    "hazards", "needs_bytes", "pinned", "aliases", "usage", "profile", "status",
}  # fmt: skip


def profile_of(model_id, **facts):
    usual = {"model_bytes": 1, "backend": "fake", "machine": machine_name(), "threads": 2, "context_length": 512}
    return {"model_id": model_id, **usual, **facts}


async def cards(gateway, **asked):
    return {card["id"]: card for card in (await gateway.http.get("/models", params=asked)).json()["data"]}


async def test_models_are_listed_with_what_is_known_and_what_is_wrong(start_gateway):
    gateway = await start_gateway()
    listed = await cards(gateway)
    assert list(listed) == ["broken", "org/model", "other"]
    model = listed["org/model"]
    assert set(model) == CARD
    assert (model["store"], model["kind"], model["format"], model["architecture"]) == (
        "folder", "model", "gguf", "llama",
    )  # fmt: skip
    assert (model["parameters"], model["complete"], model["missing"], model["also"]) == (32, True, [], [])
    assert (model["pinned"], model["aliases"], model["profile"]) == (False, [], None)
    assert model["usage"] == {"loads": 0, "requests": 0, "last_used": None}
    assert model["needs_bytes"] > model["size_bytes"]
    assert [listed[id]["status"]["value"] for id in listed] == ["unloaded", "loaded", "unloaded"]
    broken = listed["broken"]
    assert set(broken) == CARD | {"error"}
    assert "broken.gguf" in broken["error"]
    assert (broken["format"], broken["needs_bytes"]) == (None, None)


async def test_no_path_leaves_the_machine(start_gateway, tmp_path):
    gateway = await start_gateway()
    for path in ("/models", "/models/org/model", "/models/broken", "/v1/models", "/aliases", "/profiles"):
        assert str(tmp_path) not in (await gateway.http.get(path)).text, path


class HalfReadable:
    """A store with a place that can't be read, and another one that fails."""

    uml_api_version = API_VERSION

    @hookimpl
    def uml_model_stores(self):
        yield ModelStore(name="half", list=lambda: [Unreadable(reason="'/mnt/far' can't be read; mount it again")])
        yield ModelStore(name="failing", list=self.fail)

    def fail(self):
        raise OSError("no such device")


async def test_places_that_can_not_be_read_are_told_beside_the_models(start_gateway):
    gateway = await start_gateway()
    said = (await gateway.http.get("/models")).json()
    assert (said["object"], said["problems"]) == ("list", [])
    gateway = await start_gateway(extra=HalfReadable())
    said = (await gateway.http.get("/models")).json()
    assert len(said["data"]) == 3
    first, second = (problem["reason"] for problem in said["problems"])
    assert first == "'/mnt/far' can't be read; mount it again"
    assert "'failing'" in second
    assert "no such device" in second


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({}, {"broken", "org/model", "other", "emb"}),
        ({"format": "GGUF"}, {"org/model", "other", "emb"}),
        ({"format": "onnx"}, set()),
        ({"store": "folder"}, {"broken", "org/model", "other", "emb"}),
        ({"store": "ollama"}, set()),
        ({"q": "ORG mod"}, {"org/model"}),
        ({"q": "nickname"}, {"other"}),
        ({"q": "llama"}, {"org/model", "other"}),
        ({"q": "no such"}, set()),
        ({"q": ""}, {"broken", "org/model", "other", "emb"}),
    ],
)
async def test_only_what_is_wanted(start_gateway, asked, ids):
    gateway = await start_gateway()
    gateway.registry.write("emb", **{"general.architecture": "bert"})
    gateway.registry.records.set_alias("nickname", "other")
    assert set(await cards(gateway, **asked)) == ids


async def test_by_task(start_gateway):
    gateway = await start_gateway()
    tasks = (await cards(gateway))["other"]["tasks"]
    for task in tasks:
        assert "other" in await cards(gateway, task=task)
    assert await cards(gateway, task="no-such-task") == {}


async def test_one_model_is_described_whole(start_gateway):
    gateway = await start_gateway()
    said = (await gateway.http.get("/models/org/model")).json()
    assert set(said) == CARD | {
        "has_tokenizer", "has_chat_template", "shape", "files", "companions", "backends", "profiles",
    }  # fmt: skip
    size_bytes = (gateway.registry.folder / "org" / "model.gguf").stat().st_size
    assert said["files"] == [{"name": "model.gguf", "size_bytes": size_bytes}]
    assert (said["companions"], said["backends"], said["profiles"]) == ([], [], [])
    assert (await gateway.http.get("/models/broken")).json()["files"] == []


async def test_each_backend_says_whether_it_can(start_house):
    house = await start_house()
    house.model("small")
    said = (await house.http.get("/models/small")).json()
    (backend,) = said["backends"]
    assert (backend["name"], backend["level"]) == ("fake", "native")
    assert backend["reason"]


@pytest.mark.parametrize("path", ["/models/othr", "/v1/models/othr"])
async def test_an_unknown_model_is_told_with_near_names(start_gateway, path):
    gateway = await start_gateway()
    response = await gateway.http.get(path)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "model_not_found")
    assert "'other'" in error["message"]


async def test_a_part_of_a_name_that_fits_two_is_told_with_both(start_gateway):
    gateway = await start_gateway()
    gateway.registry.write("org/module")
    response = await gateway.http.get("/models/mod")
    assert response.status_code == 404
    message = response.json()["error"]["message"]
    assert "'org/model'" in message
    assert "'org/module'" in message
    assert (await gateway.http.get("/models/oth")).json()["id"] == "other"


async def test_a_path_is_no_model(start_gateway):
    gateway = await start_gateway()
    file = gateway.registry.folder / "other.gguf"
    for ref in (f"/{file}", "..%2Fmodels%2Fother.gguf", "~"):
        assert (await gateway.http.get(f"/models/{ref}")).status_code == 404


# Aliases and pins


async def test_an_alias_names_a_model_everywhere_at_once(start_gateway):
    gateway = await start_gateway()
    assert (await gateway.http.get("/models/small one")).status_code == 404
    said = await gateway.http.put("/aliases/small one", json={"model": "oth"})
    assert (said.status_code, said.json()) == (200, {"alias": "small one", "model": "other", "source": "user"})
    assert (await gateway.http.get("/aliases")).json()["data"] == [said.json()]
    assert (await gateway.http.get("/models/small one")).json()["id"] == "other"
    assert (await cards(gateway))["other"]["aliases"] == ["small one"]
    job = (await gateway.http.post("/load_model", json={"model": "small one"})).json()
    assert job["id"]
    await gateway.http.put("/aliases/small one", json={"model": "org/model"})
    assert (await gateway.http.get("/v1/models/small one")).json()["id"] == "org/model"
    gone = await gateway.http.delete("/aliases/small one")
    assert gone.json() == {"alias": "small one", "model": "org/model", "removed": True}
    assert (await gateway.http.get("/v1/models/small one")).status_code == 404
    assert (await gateway.http.delete("/aliases/small one")).status_code == 404


async def test_aliases_that_can_not_be(start_gateway):
    gateway = await start_gateway(tables={"models": {"other": {"alias": "settled"}}})
    settled = {"alias": "settled", "model": "other", "source": "settings"}
    assert (await gateway.http.get("/aliases")).json()["data"] == [settled]
    for alias, body, status, code in (
        ("settled", {"model": "org/model"}, 409, "conflict"),
        ("org/model", {"model": "other"}, 409, "conflict"),
        ("x", {"model": "nobody"}, 404, "model_not_found"),
        ("x", {}, 400, "invalid_request"),
        ("x", {"model": "other", "more": 1}, 400, "invalid_request"),
        ("x", {"model": ["other"]}, 400, "invalid_request"),
        ("%07", {"model": "other"}, 400, "invalid_request"),
        ("x" * 201, {"model": "other"}, 400, "invalid_request"),
    ):
        response = await gateway.http.put(f"/aliases/{alias}", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), alias
    response = await gateway.http.delete("/aliases/settled")
    assert (response.status_code, "uml.toml" in response.json()["error"]["message"]) == (409, True)
    assert gateway.registry.records.aliases == {}


async def test_pins(start_gateway):
    gateway = await start_gateway()
    for _ in range(2):
        assert (await gateway.http.put("/pins/oth", json={})).json() == {"model": "other", "pinned": True}
    assert (await cards(gateway))["other"]["pinned"]
    assert (await gateway.http.put("/pins/nobody", json={})).status_code == 404
    (gateway.registry.folder / "other.gguf").unlink()
    assert (await gateway.http.delete("/pins/other")).json() == {"model": "other", "pinned": False}
    assert (await gateway.http.delete("/pins/other")).status_code == 404
    assert (await gateway.http.delete("/pins/org/model")).json() == {"model": "org/model", "pinned": False}


# Removal


async def test_a_removed_model_is_gone_at_once_and_the_answer_says_what_that_freed(start_gateway):
    gateway = await start_gateway()
    path = gateway.registry.folder / "other.gguf"
    size_bytes = path.stat().st_size
    await gateway.http.get("/models")
    response = await gateway.http.delete("/models/other")
    assert (response.status_code, response.json()) == (
        200,
        {"id": "other", "store": "folder", "removed": ["other.gguf"], "freed_bytes": size_bytes, "left": []},
    )
    assert not path.exists()
    assert "other" not in await cards(gateway)
    assert (await gateway.http.delete("/models/other")).status_code == 404


async def test_a_broken_one_can_be_removed(start_gateway):
    gateway = await start_gateway()
    assert (await gateway.http.delete("/models/broken")).json()["freed_bytes"] == 7


async def test_a_link_goes_and_what_it_leads_to_stays(start_gateway, tmp_path):
    gateway = await start_gateway()
    elsewhere = (gateway.registry.folder / "other.gguf").rename(tmp_path / "mine.gguf")
    (gateway.registry.folder / "link.gguf").symlink_to(elsewhere)
    said = (await gateway.http.delete("/models/link")).json()
    assert (said["removed"], said["freed_bytes"]) == (["link.gguf"], 0)
    assert elsewhere.exists()


async def test_the_same_bytes_elsewhere_are_told(start_gateway):
    gateway = await start_gateway()
    path = gateway.registry.folder / "other.gguf"
    (gateway.registry.folder / "twin.gguf").hardlink_to(path)
    assert (await cards(gateway))["other"]["also"] == [{"store": "folder", "id": "twin"}]
    assert [model["id"] for model in (await gateway.http.get("/v1/models")).json()["data"]] == ["org/model", "other"]
    said = (await gateway.http.delete("/models/twin")).json()
    assert (said["id"], said["freed_bytes"], said["left"]) == ("twin", 0, [{"store": "folder", "id": "other"}])
    assert path.exists()


@pytest.mark.parametrize("ref", ["oth", "OTHER", "othe%72x"])
async def test_a_part_of_a_name_removes_nothing(start_gateway, ref):
    gateway = await start_gateway()
    response = await gateway.http.delete(f"/models/{ref}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert "'other'" in response.json()["error"]["message"]
    assert (gateway.registry.folder / "other.gguf").exists()


async def test_what_is_loaded_loading_queued_or_pinned_stays(start_gateway):
    gateway = await start_gateway(loading=asyncio.Event())
    await gateway.http.put("/aliases/soon", json={"model": "other"})
    job = await gateway.supervisor.submit(LoadRequest(model="soon"))
    gateway.supervisor._note(job, job.state, plan=None)
    gateway.registry.write("third")
    await gateway.http.put("/pins/third", json={})
    for id, word in (("org/model", "loaded"), ("other", "loaded"), ("soon", "loaded"), ("third", "pinned")):
        response = await gateway.http.delete(f"/models/{id}")
        error = response.json()["error"]
        assert (response.status_code, error["code"], word in error["message"]) == (409, "conflict", True), id
    assert len(list(gateway.registry.folder.rglob("*.gguf"))) == 4


async def test_what_another_program_keeps_is_not_removed(start_house):
    house = await start_house()
    house.model("small")
    response = await house.http.delete("/models/small")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert "'fakes'" in response.json()["error"]["message"]
    assert (house.folder / "small.fake").exists()


# Measurements


async def test_a_measurement_is_remembered_and_decides_what_a_card_shows(start_gateway):
    gateway = await start_gateway()
    said = await gateway.http.post("/profiles", json=profile_of("oth", decode_tokens_per_s=10.0, load_s=0.5))
    assert (said.status_code, said.json()["model_id"], said.json()["spin"]) == (200, "other", None)
    assert datetime.fromisoformat(said.json()["measured"]).tzinfo is not None
    for facts in (
        {"decode_tokens_per_s": 30.0, "backend": "quick"},
        {"decode_tokens_per_s": 99.0, "busy": True},
        {"decode_tokens_per_s": 99.0, "machine": "another one"},
    ):
        await gateway.http.post("/profiles", json=profile_of("other", **facts))
    assert (await cards(gateway))["other"]["profile"] == {
        "backend": "quick",
        "decode_tokens_per_s": 30.0,
        "first_token_s": None,
        "load_s": None,
        "memory_bytes": None,
    }
    assert len((await gateway.http.get("/models/other")).json()["profiles"]) == 4
    assert [one["busy"] for one in (await gateway.http.get("/profiles?model=oth")).json()["data"]] == [
        False, True, False, False,
    ]  # fmt: skip
    assert (await gateway.http.get("/profiles?model=org/model")).json()["data"] == []
    assert len((await gateway.http.get("/profiles")).json()["data"]) == 4


@pytest.mark.parametrize(
    ("facts", "param"),
    [
        ({"threads": 0}, "threads"),
        ({"load_s": -1}, "load_s"),
        ({"decode_tokens_per_s": "fast"}, "decode_tokens_per_s"),
        ({"memory_bytes": 2**63}, "memory_bytes"),
        ({"measured": "2026-01-01T00:00:00"}, "measured"),
        ({"source": "rumour"}, "source"),
        ({"more": 1}, "more"),
    ],
)
async def test_a_measurement_that_is_none(start_gateway, facts, param):
    gateway = await start_gateway()
    response = await gateway.http.post("/profiles", json=profile_of("other", **facts))
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert (await gateway.http.get("/profiles")).json()["data"] == []


async def test_recommendations_say_why_and_what_was_left_out(start_house):
    house = await start_house()
    house.model("small")
    said = (await house.http.get("/recommendations")).json()
    assert {one["model"] for one in [*said["data"], *said["left_out"]]} == {"small"}
    assert all(one["reason"] for one in [*said["data"], *said["left_out"]])
    assert said["budget_bytes"] > 0
    wrong = await house.http.get("/recommendations?task=nonsense")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_request")


async def test_answers_are_counted(start_gateway, wire):
    gateway = await start_gateway(wire.stream(wire.answer("Hel", "lo")))
    for _ in range(2):
        await gateway.chat(stream=True)
    usage = (await cards(gateway))["org/model"]["usage"]
    assert (usage["requests"], usage["last_used"] is not None) == (2, True)
    assert gateway.registry.records.usage("org/model").completion_tokens == 10


# Rights

CHANGES = [
    ("DELETE", "/models/other"),
    ("PUT", "/aliases/x"),
    ("DELETE", "/aliases/x"),
    ("PUT", "/pins/other"),
    ("DELETE", "/pins/other"),
    ("POST", "/profiles"),
    ("POST", "/models/scan"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.com"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.com"}]
)
async def test_a_page_of_another_site_changes_nothing(start_gateway, method, path, headers):
    gateway = await start_gateway()
    response = await gateway.http.request(method, path, headers=headers, json={"model": "other"})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [change for change in CHANGES if change[0] != "DELETE"])
async def test_only_json_changes_anything(start_gateway, method, path):
    gateway = await start_gateway()
    response = await gateway.http.request(method, path, content=b"{}", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert (gateway.registry.records.pins, gateway.scans.all) == (frozenset(), [])


async def test_a_listed_page_may_ask_to_put(start_gateway):
    gateway = await start_gateway(server={"allowed_origins": ["http://ok.example"]})
    headers = {"Origin": "http://ok.example", "Access-Control-Request-Method": "PUT"}
    response = await gateway.http.options("/aliases/x", headers=headers)
    assert (response.status_code, "PUT" in response.headers["access-control-allow-methods"]) == (204, True)


async def test_looking_changes_nothing(start_gateway):
    gateway = await start_gateway()
    for path in ("/models", "/models/other", "/aliases", "/profiles", "/recommendations"):
        assert (await gateway.http.get(path)).status_code == 200
    for path in ("/models/scan", "/aliases/x", "/pins/other"):
        assert (await gateway.http.get(path)).status_code in {404, 405}
    records = gateway.registry.records
    assert (records.aliases, records.pins, gateway.scans.all) == ({}, frozenset(), [])
    assert isinstance(records.profiles("other"), tuple)
    assert len(list(gateway.registry.folder.rglob("*.gguf"))) == 3


def test_the_body_of_a_measurement_is_a_profile():
    from uml_core.server.profiles import ProfileRequest

    asked = ProfileRequest(**profile_of("x", measured=datetime.now(UTC)))
    profile = asked.to_profile("x")
    assert isinstance(profile, Profile)
    assert set(ProfileRequest.model_fields) == {name.name for name in Profile.__attrs_attrs__}


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb\x1b[31m", "a\u202eb".encode()])
async def test_a_name_that_nobody_can_read_or_type_spoils_no_list(start_gateway, name):
    gateway = await start_gateway()
    path = gateway.registry.write("strange")
    path.rename(path.parent / os.fsdecode(name + b".gguf"))
    said = await gateway.http.get("/models")
    assert {"broken", "org/model", "other"} <= {card["id"] for card in said.json()["data"]}
    assert "\\u001b" not in said.text
    for listing in ("/v1/models", "/profiles", "/recommendations"):
        assert (await gateway.http.get(listing)).status_code == 200
    job = (await gateway.http.post("/models/scan", json={"wait": True})).json()
    assert job["state"] == "committed"


async def test_a_name_with_signs_that_mean_something_in_an_address(start_gateway):
    gateway = await start_gateway()
    id = "é ü/?a=b&c#%2F+:d"
    gateway.registry.write(id)
    client = UniversalClient(gateway.url)

    def use():
        assert id in {card["id"] for card in client.models(query=id)}
        assert client.model(id)["architecture"] == "llama"
        assert client.set_alias(f"my {id}", id)["model"] == id
        assert client.pin(f"my {id}")["model"] == id
        assert client.profiles(id) == []
        client.pin(id, False)
        client.remove_alias(f"my {id}")
        return client.remove(id)

    assert (await asyncio.to_thread(use))["removed"] == ["?a=b&c#%2F+:d.gguf"]
