import json
import socket
import threading

import pytest

from uml_core.client import UniversalClient
from uml_core.errors import (
    BadRequestError,
    InternalServerError,
    ModelLoadingError,
    ModelNotFoundError,
    UnavailableError,
    WorkerCrashedError,
)

HELLO = [{"role": "user", "content": "hi"}]
CHAT = "/v1/chat/completions"


def frame(text: str, **more: object) -> bytes:
    return b"data: " + json.dumps({"model": "m", "choices": [{"delta": {"content": text}}], **more}).encode() + b"\n\n"


def test_chat_streams_the_pieces_and_then_knows_the_usage(gateway):
    last = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"completion_tokens":2}}\n\n'
    gateway.stream(CHAT, frame("blue "), frame("sky")[:9], frame("sky")[9:] + last, usage + b"data: [DONE]\n\n")
    answer = UniversalClient(gateway.url + "/v1/").chat(HELLO, model="m", max_tokens=5)
    assert list(answer) == ["blue ", "sky"]
    assert (answer.text, answer.finish_reason, answer.usage) == ("blue sky", "stop", {"completion_tokens": 2})
    assert json.loads(gateway.requests[0][2]) == {
        "model": "m",
        "messages": HELLO,
        "stream": True,
        "max_tokens": 5,
        "stream_options": {"include_usage": True},
    }


def test_chat_without_streaming_is_one_piece(gateway):
    gateway.json(CHAT, b'{"model":"m","choices":[{"message":{"content":"blue"},"finish_reason":"length"}]}')
    answer = UniversalClient(gateway.url).chat(HELLO, model="m", stream=False)
    assert (list(answer), answer.finish_reason) == (["blue"], "length")


def test_chat_without_a_model_asks_the_loaded_one(gateway):
    gateway.json("/active_model", b'{"model":"loaded"}')
    gateway.stream(CHAT, frame("x"), b"data: [DONE]\n\n")
    list(UniversalClient(gateway.url).chat(HELLO))
    assert json.loads(gateway.requests[1][2])["model"] == "loaded"
    gateway.json("/active_model", b'{"model":null}')
    with pytest.raises(UnavailableError, match="uml load"):
        UniversalClient(gateway.url).chat(HELLO)


def test_an_error_frame_mid_stream_raises_after_what_came(gateway):
    error = b'data: {"error":{"message":"the worker died","type":"server_error","code":"worker_crashed"}}\n\n'
    gateway.stream(CHAT, frame("half"), error)
    answer = UniversalClient(gateway.url).chat(HELLO, model="m")
    with pytest.raises(WorkerCrashedError, match="the worker died"):
        list(answer)
    assert answer.text == "half"


@pytest.mark.parametrize("last_chunk", [True, False])
def test_a_stream_that_ends_without_done_was_cut(gateway, last_chunk):
    gateway.stream(CHAT, frame("half"), last_chunk=last_chunk)
    answer = UniversalClient(gateway.url).chat(HELLO, model="m")
    with pytest.raises(WorkerCrashedError, match="cut off"):
        list(answer)
    assert answer.text == "half"


def test_a_body_that_is_cut_is_told(gateway):
    gateway.json("/models", b'{"data":', headers={"Content-Length": "100"})
    with pytest.raises(WorkerCrashedError, match="cut off"):
        UniversalClient(gateway.url).models()


def test_refusals_are_typed(gateway):
    gateway.json("/load_model", b'{"error":{"message":"no \'x\'","code":"model_not_found"}}', status=404)
    with pytest.raises(ModelNotFoundError, match="no 'x'"):
        UniversalClient(gateway.url).load("x", context_length=512)
    assert json.loads(gateway.requests[0][2]) == {"model": "x", "context_length": 512}
    busy = b'{"error":{"message":"loading","code":"model_loading"}}'
    gateway.json(CHAT, busy, status=503, headers={"Retry-After": "7"})
    with pytest.raises(ModelLoadingError) as caught:
        UniversalClient(gateway.url).chat(HELLO, model="x")
    assert caught.value.retry_after_s == 7


def test_management(gateway):
    client = UniversalClient(gateway.url)
    gateway.json("/models", b'{"object":"list","data":[{"id":"a"}]}')
    gateway.json("/plugins", b'{"object":"list","data":[{"name":"p"}]}')
    gateway.json("/active_model", b'{"model":null,"job":null}')
    gateway.json("/jobs", b'{"object":"list","data":[{"id":"job_1"}]}')
    gateway.json("/queue", b'{"length":0,"limit":8,"requests":[]}')
    assert client.models() == [{"id": "a"}]
    assert client.plugins() == [{"name": "p"}]
    assert client.active() is None
    assert client.status() == {"model": None, "job": None}
    assert client.jobs() == [{"id": "job_1"}]
    assert client.queue() == {"length": 0, "limit": 8, "requests": []}


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnavailableError, match="uml serve"):
        UniversalClient(f"http://127.0.0.1:{port}").models()


@pytest.mark.parametrize("url", ["127.0.0.1:8650", "ftp://x", "http://x:99999", "http://x:y"])
def test_an_address_that_is_none(url):
    with pytest.raises(BadRequestError, match="address of a gateway"):
        UniversalClient(url).models()


def test_a_silent_gateway_is_not_waited_for_for_ever():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="silent"):
            UniversalClient(url, timeout_s=0.05).models()


def test_something_that_is_no_gateway(gateway):
    gateway.json("/models", b"<html>")
    with pytest.raises(InternalServerError, match="no UML gateway"):
        UniversalClient(gateway.url).models()


def test_no_proxy_is_asked(gateway, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    gateway.json("/models", b'{"data":[]}')
    assert UniversalClient(gateway.url).models() == []


def test_closing_an_answer_early_closes_the_connection(gateway):
    closed = threading.Event()

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(frame("one"))
        if handler.rfile.read(1) == b"":  # returns when the client has gone
            closed.set()

    gateway.answers[CHAT] = answer
    with UniversalClient(gateway.url).chat(HELLO, model="m") as stream:
        assert next(iter(stream)) == "one"
    assert closed.wait(10)
