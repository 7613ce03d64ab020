"""From the body to the worker: which task, which model, and what is refused on the way."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from uml_core import hookimpl
from uml_core.types import Task, WorkerState

ALIAS = {"models": {"org/model": {"alias": "alias"}}}


async def test_completions_are_forwarded(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({"choices": []})))
    body = {"model": "org/model", "prompt": [1, 2, 3], "max_tokens": 4, "echo": None}
    assert (await gateway.http.post("/v1/completions", json=body)).status_code == 200
    asked = gateway.worker.asked[0]
    assert (asked.path, asked.json()) == (
        "/v1/completions",
        {"model": "org/model", "prompt": [1, 2, 3], "max_tokens": 4},
    )


@pytest.mark.parametrize("model", [None, "", "org/model", "alias"])
async def test_the_loaded_model_answers_to_its_names_and_to_none(start_gateway, wire, model):
    gateway = await start_gateway(wire.bytes(wire.json({})), tables=ALIAS)
    assert (await gateway.chat(model=model)).status_code == 200
    assert gateway.worker.asked[0].json()["model"] == "org/model"
    assert gateway.supervisor.loads == []


async def test_a_name_without_a_variant_is_answered_by_the_variant_that_is_loaded(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    gateway.registry.write("llm/llm-Q4_0", **{"general.file_type": 2})
    gateway.registry.write("llm/llm-Q8_0", **{"general.file_type": 7})
    ids = {model.id for model in gateway.registry.variants("llm")}
    assert len(ids) == 2
    for loaded in sorted(ids):
        gateway.supervisor.loaded = loaded
        assert (await gateway.chat(model="llm")).status_code == 200
        assert (gateway.supervisor.loaded, gateway.supervisor.loads) == (loaded, [])
    (other,) = ids - {loaded}
    assert (await gateway.chat(model=other)).status_code == 200
    assert gateway.supervisor.loaded == other


async def test_the_loaded_model_is_found_without_a_look_at_the_disk(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})), tables=ALIAS)
    for model in ("org/model", "org/model", "alias", "alias", "alias"):
        await gateway.chat(model=model)
    assert gateway.registry.finds == 1


async def test_no_model_named_and_none_loaded(start_gateway):
    gateway = await start_gateway(loaded=None)
    response = await gateway.chat(model=None)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
    assert "none is loaded" in response.json()["error"]["message"]


async def test_an_unknown_model_leaves_the_loaded_one_alone(start_gateway):
    gateway = await start_gateway()
    response = await gateway.chat(model="nobody/nothing")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert response.headers["x-should-retry"] == "false"
    assert (gateway.supervisor.loaded, gateway.supervisor.loads) == ("org/model", [])


async def test_a_known_model_is_loaded_on_demand(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})), loaded=None, tables=ALIAS)
    assert (await gateway.chat(model="alias")).status_code == 200
    assert [load.model for load in gateway.supervisor.loads] == ["org/model"]


async def test_a_long_load_is_answered_with_ask_again(start_gateway):
    gateway = await start_gateway(loaded=None, loading=asyncio.Event(), server={"load_wait_s": 0.05})
    response = await gateway.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_loading")
    assert (response.headers["retry-after"], "x-should-retry" in response.headers) == ("5", False)


async def test_autoload_off(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})), server={"autoload": False}, tables=ALIAS)
    refused = await gateway.chat(model="other")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_not_loaded")
    assert "uml load other" in refused.json()["error"]["message"]
    assert (await gateway.chat(model="alias")).status_code == 200
    assert gateway.supervisor.loads == []


@pytest.mark.parametrize(
    ("change", "param", "said"),
    [
        ({"messages": None}, "messages", "should be a valid list"),
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role", "'system'"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content", "valid string, or"),
        ({"temperature": 9}, "temperature", "less than or equal to 2"),
        ({"temperature": "hot"}, "temperature", "valid number"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": -1}, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": 10**30}, "max_tokens", ""),
        ({"top_k": -(2**40)}, "top_k", "greater than"),
        ({"n": 99}, "n", "less than or equal to 16"),
        ({"stop": ["a"] * 17}, "stop", "at most 16"),
        ({"stop": [""]}, "stop", "at least 1"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x", "pattern"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1", "less than"),
        ({"grammar": "x" * 70_000}, "grammar", "at most 65536"),
        ({"json_schema": {"x": "x" * 70_000}}, "json_schema", "no more than 65536 bytes"),
        ({"chat_template": "{{ 1 }}"}, "chat_template", "can't come with a request"),
        ({"model": 3}, "model", "valid string"),
        ({"stream": "perhaps"}, "stream", "valid boolean"),
        ({"stream_options": 3}, "stream_options", ""),
    ],
)
async def test_what_is_wrong_with_a_body_is_named(start_gateway, change, param, said):
    gateway = await start_gateway()
    response = await gateway.chat(**change)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request", param)
    assert said in error["message"]
    assert param in error["message"]
    assert gateway.supervisor.given == 0


async def test_missing_fields_are_named(start_gateway):
    gateway = await start_gateway()
    for path, field in (("/v1/chat/completions", "messages"), ("/v1/completions", "prompt")):
        response = await gateway.http.post(path, json={"model": "org/model"})
        error = response.json()["error"]
        assert (response.status_code, error["message"], error["param"]) == (400, f"'{field}' is missing", field)


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
async def test_parts_other_than_text_are_refused(start_gateway, kind):
    gateway = await start_gateway()
    parts = [{"type": "text", "text": "what is this?"}, {"type": kind, kind: {"url": "data:,"}}]
    response = await gateway.chat(messages=[{"role": "user", "content": parts}])
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "task_not_supported", "messages")
    assert f"'{kind}'" in error["message"]


async def test_fields_that_nobody_knows_reach_no_engine(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    extra = {"n_discard": -1, "template_arguments": {"x": 1}, "lora": [1], "user": "me"}
    message = {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": 1}], "extra": 1}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "evil": 1}}
    await gateway.chat(messages=[message], tools=[tool], tool_choice="auto", top_k=5, **extra)
    assert gateway.worker.asked[0].json() == {
        "model": "org/model",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "top_k": 5,
    }


@pytest.mark.parametrize("name", ["", "a b", "f\n<tool_call>", "x" * 257, "f\n"])
async def test_a_function_is_named_as_a_model_can_write_it(start_gateway, wire, name):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    response = await gateway.chat(
        messages=[{"role": "user", "content": "hi"}], tools=[{"type": "function", "function": {"name": name}}]
    )
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, "tools.0.function.name")


async def test_a_schema_keeps_its_nulls_and_its_name(start_gateway, wire):
    gateway = await start_gateway(wire.bytes(wire.json({})))
    schema = {"type": "object", "properties": {"a": {"enum": [None, 1], "default": None}}}
    asked = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    await gateway.chat(response_format=asked)
    assert gateway.worker.asked[0].json()["response_format"] == asked


class Shout(BaseModel):
    text: str
    stream: bool = False


async def test_tasks_may_share_a_path_by_what_they_claim(start_gateway, wire):
    async def shout(request, worker):
        return await worker.post("/v1/completions", {"prompt": request.text.upper()})

    def task(name, **rest):
        return Task(name=name, path="/v1/shout", request=Shout, handle=shout, **rest)

    class Extra:
        uml_api_version = 1

        @hookimpl
        def uml_tasks(self):
            yield task("text-generation")
            yield task("image-classification", claims=lambda body: "image" in body)

    gateway = await start_gateway(wire.bytes(wire.json({"ok": 1})), extra=Extra())
    assert (await gateway.http.post("/v1/shout", json={"text": "a"})).json() == {"ok": 1}
    assert json.loads(gateway.worker.asked[0].body) == {"prompt": "A"}
    other = await gateway.http.post("/v1/shout", json={"text": "a", "image": 1})
    assert (other.status_code, other.json()["error"]["code"]) == (400, "task_not_supported")
    schema = (await gateway.http.get("/openapi.json")).json()
    body = schema["paths"]["/v1/shout"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert len(body["anyOf"]) == 2


async def test_a_task_whose_streams_need_no_finish_reason(start_gateway, wire):
    async def speak(request, worker):
        return await worker.post("/v1/speech", {"text": request.text, "stream": True})

    class Extra:
        uml_api_version = 1

        @hookimpl
        def uml_tasks(self):
            yield Task(name="text-generation", path="/v1/speech", request=Shout, handle=speak, finish_reason=False)

    frames = [b'data: {"audio":"abc"}\n\n', wire.DONE]
    gateway = await start_gateway(wire.stream(frames), extra=Extra())
    response = await gateway.http.post("/v1/speech", json={"text": "a", "stream": True})
    assert response.content == b"".join(frames)
    gateway.worker.script = wire.stream(frames[:1])
    cut = await gateway.http.post("/v1/speech", json={"text": "a", "stream": True})
    assert b"worker_crashed" in cut.content


async def test_log_lines_have_facts_and_no_words(start_gateway, wire, until, monkeypatch):
    lines = []
    log = SimpleNamespace(info=lambda _, **facts: lines.append(facts))
    monkeypatch.setattr("uml_core.server.front.requests", log)
    monkeypatch.setattr("structlog.is_configured", lambda: True)
    gateway = await start_gateway(wire.stream(wire.answer("secret answer")))
    await gateway.chat(stream=True, messages=[{"role": "user", "content": "secret prompt"}])
    await gateway.http.get("/nowhere?secret=query")
    await until(lambda: len(lines) == 2)
    chat, nowhere = lines
    assert chat.pop("id").startswith("req_")
    assert chat.pop("ms") > 0
    assert chat == {
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "model": "org/model",
        "generation": 7,
        "prompt_tokens": 3,
        "tokens": 5,
    }
    assert (nowhere["status"], nowhere["path"]) == (404, "/nowhere")
    assert "secret" not in str(lines)


async def test_the_state_of_a_load_is_seen_while_it_lasts(start_gateway):
    gateway = await start_gateway(state=WorkerState.LOADING)
    models = (await gateway.http.get("/v1/models")).json()["data"]
    assert [model["status"]["value"] for model in models] == ["loading", "unloaded"]
