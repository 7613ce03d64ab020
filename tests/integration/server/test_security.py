"""What strangers, web pages and broken clients get: each a sentence in OpenAI's shape, and nothing else."""

from __future__ import annotations

import asyncio
import json

import pytest

from uml_core.server.pace import Pace

CHAT = b'{"model":"org/model","messages":[{"role":"user","content":"hi"}]}'


def request(path="/livez", *, method="GET", headers=(), host="localhost", body=b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *headers, "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status_and_error(response: bytes) -> tuple[int, dict]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"x-request-id: " in head
    return int(head.split()[1]), json.loads(body).get("error", {})


GOOD_HOSTS = ["localhost", "LOCALHOST:8650", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8650", "[0:0:0:0:0:0:0:1]"]
BAD_HOSTS = [
    None,
    "",
    ":8650",
    "evil.com",
    "evil.com:8650",
    "127.0.0.1.nip.io",
    "localhost.evil.com",
    "evil.com#localhost",
    "localhost@evil.com",
    "localhost:8650@evil.com",
    "127.0.0.1.",
    "localhost.",
    "[::2]",
    "[::1",
    "::1",
    "[::1]evil",
    "[::ffff:1.2.3.4]",
    "localhost:",
    "localhost:99999999",
    "localhost:80x",
    "0.0.0.0",
    "127.1",
    "2130706433",
    "localhost, evil.com",
    "löcalhost",
]


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_hosts_of_this_machine_are_let_in(start_gateway, host):
    gateway = await start_gateway()
    assert status_and_error(await gateway.raw(request(host=host)))[0] == 200


async def test_other_hosts_are_kept_out(start_gateway):
    gateway = await start_gateway()
    for host in BAD_HOSTS:
        status, error = status_and_error(await gateway.raw(request(host=host)))
        assert (status, error["code"], error["type"]) == (403, "forbidden", "permission_error"), host


async def test_two_host_headers_are_kept_out(start_gateway):
    gateway = await start_gateway()
    for pair in (("localhost", "evil.com"), ("evil.com", "localhost"), ("localhost", "localhost")):
        status, error = status_and_error(await gateway.raw(request(host=pair[0], headers=[f"Host: {pair[1]}"])))
        assert (status, "one 'host'" in error["message"]) == (403, True)


async def test_an_absolute_target_does_not_stand_for_the_host(start_gateway):
    gateway = await start_gateway()
    status, _ = status_and_error(await gateway.raw(request("http://localhost/livez", host="evil.com")))
    assert status == 403


async def test_hosts_of_the_settings_are_let_in(start_gateway):
    gateway = await start_gateway(server={"allowed_hosts": ["box.lan", "[fe80::1]"]})
    for host in ("BOX.lan:1", "[fe80:0::1]"):
        assert status_and_error(await gateway.raw(request(host=host)))[0] == 200


FOREIGN_PAGES = [
    ["Origin: https://evil.com"],
    ["Origin: null"],
    ["Origin: file://"],
    ["Origin: http://localhost"],  # another port of this machine is another site
    ["Origin: http://localhost:8650.evil.com"],
    ["Origin: https://localhost:8650"],
    ["Origin: http://LOCALHOST:8650", "Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: cross-site"],
    ["Origin: http://ok.example.evil.com"],
    ["Origin: https://ok.example"],
    ["Origin: http://okxexample"],
    ["Origin: http://ok.example", "Origin: http://evil.com"],
]


async def test_foreign_pages_are_kept_out(start_gateway):
    gateway = await start_gateway(server={"allowed_origins": ["http://ok.example"]})
    for headers in FOREIGN_PAGES:
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            data = request("/models", method=method, host="localhost:8650", headers=headers)
            status, error = status_and_error(await gateway.raw(data))
            assert (status, error["code"]) == (403, "forbidden"), headers


async def test_own_and_listed_pages_are_let_in(start_gateway):
    gateway = await start_gateway(server={"allowed_origins": ["http://ok.example/"]})
    own = [["Origin: http://localhost:8650"], ["Origin: http://LocalHost:8650", "Sec-Fetch-Site: same-origin"]]
    for headers in (*own, ["Sec-Fetch-Site: none"], ["Sec-Fetch-Site: same-origin"]):
        answer = await gateway.raw(request(host="localhost:8650", headers=headers))
        assert status_and_error(answer)[0] == 200
        assert b"access-control" not in answer
    listed = ["Origin: http://ok.example", "Sec-Fetch-Site: cross-site"]
    answer = await gateway.raw(request(host="localhost:8650", headers=listed))
    assert status_and_error(answer)[0] == 200
    assert b"access-control-allow-origin: http://ok.example\r\n" in answer


async def test_a_listed_page_may_ask_before_it_sends(start_gateway):
    gateway = await start_gateway(server={"allowed_origins": ["http://ok.example"]})
    asks = [
        "Origin: http://ok.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type,x-stainless-os",
    ]
    answer = await gateway.raw(request("/v1/chat/completions", method="OPTIONS", headers=asks))
    assert answer.startswith(b"HTTP/1.1 204")
    assert b"access-control-allow-headers: content-type,x-stainless-os\r\n" in answer


async def test_every_route_keeps_foreign_hosts_out(start_gateway):
    """Walks the routes, so that one that is added later is in it."""
    gateway = await start_gateway()
    walked = 0
    for path, methods in gateway.app.openapi()["paths"].items():
        for method in methods:
            data = request(path.replace("{model}", "x"), method=method.upper(), host="evil.com", body=b"{}")
            assert status_and_error(await gateway.raw(data))[0] == 403, path
            walked += 1
    served = {
        (route.path.replace(":path", ""), method)
        for route in routes_of(gateway.app.router)
        for method in route.methods - {"HEAD"}
        if route.path != "/openapi.json"
    }
    assert {path for path, _ in served} == set(gateway.app.openapi()["paths"])
    assert walked == len(served)


def routes_of(router):
    """All routes, also those that FastAPI keeps in included routers."""
    for route in router.routes:
        if hasattr(route, "path") and hasattr(route, "methods"):
            yield route
        else:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None) or route.app
            yield from routes_of(inner)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "text/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json;x=y",
    ],
)
async def test_only_json_is_taken(start_gateway, kind):
    gateway = await start_gateway()
    for path in ("/v1/chat/completions", "/load_model", "/unload_model", "/nowhere"):
        headers = [] if kind is None else [f"Content-Type: {kind}"]
        answer = await gateway.raw(request(path, method="POST", headers=headers, body=CHAT))
        status, error = status_and_error(answer)
        assert (status, error["code"]) == (415, "unsupported_media_type")
    assert gateway.supervisor.given == 0


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf8"']
)
async def test_json_may_name_its_charset(start_gateway, kind):
    gateway = await start_gateway()
    headers = [f"Content-Type: {kind}"]
    answer = await gateway.raw(request("/unload_model", method="POST", headers=headers, body=b"{}"))
    assert status_and_error(answer)[0] == 200


async def test_a_large_body_is_refused_with_and_without_its_length(start_gateway):
    gateway = await start_gateway(server={"max_body_bytes": 1000})
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    declared = f"{head}Content-Length: 2000\r\n\r\n".encode() + b" " * 2000
    waiting = f"{head}Content-Length: 2000\r\nExpect: 100-continue\r\n\r\n".encode()
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"200\r\n%b\r\n" % (b" " * 512) * 4 + b"0\r\n\r\n"
    for data in (declared, waiting, chunked):
        answer = await gateway.raw(data)
        status, error = status_and_error(answer)
        assert (status, error["code"]) == (413, "payload_too_large")
        assert b"connection: close" in answer
        assert b"100 Continue" not in answer


async def test_a_body_of_exactly_the_limit_is_taken(start_gateway, wire):
    body = CHAT.ljust(1000)
    gateway = await start_gateway(wire.bytes(wire.json({})), server={"max_body_bytes": len(body)})
    answer = await gateway.http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200


async def test_a_slow_body_is_refused(start_gateway):
    gateway = await start_gateway(pace=Pace(body_s=0.05))
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"POST /load_model HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    )
    status, error = status_and_error(await asyncio.wait_for(reader.read(), 5))
    assert (status, error["code"]) == (408, "request_timeout")
    writer.close()


async def test_a_client_that_leaves_within_its_body_is_forgotten(start_gateway, until):
    gateway = await start_gateway()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"POST /load_model HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    )
    await until(lambda: gateway.in_flight.count == 1)
    writer.close()
    await until(lambda: gateway.in_flight.count == 0)
    assert await reader.read() == b""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1 column 1"),
        (b'{"model": }', "line 1 column 11"),
        (b"", "line 1 column 0"),
        (b"\xff", "line 1"),
        (b'{"a": NaN}', "line 1"),
        (b'{"a": "\\ud800"}', "line 1"),
        (b"[" * 100_000, "recursion"),
        (b'{"a":' * 100_000, "recursion"),
        (b"[1]", "object"),
        (b'"x"', "object"),
        (b"null", "object"),
    ],
)
async def test_broken_json_is_told_where(start_gateway, body, said):
    gateway = await start_gateway()
    for path in ("/v1/chat/completions", "/v1/completions"):
        response = await gateway.http.post(path, content=body, headers={"content-type": "application/json"})
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["type"]) == (400, "invalid_json", "invalid_request_error")
        assert said in error["message"]
    response = await gateway.http.post("/load_model", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_unknown_paths_and_wrong_methods_are_told_in_the_same_shape(start_gateway):
    gateway = await start_gateway()
    json_type = {"content-type": "application/json"}
    for method, path in (("GET", "/nowhere"), ("POST", "/v1/nowhere"), ("DELETE", "/"), ("GET", "/docs")):
        response = await gateway.http.request(method, path, headers=json_type)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    for method, path, allowed in (
        ("GET", "/v1/chat/completions", "POST"),
        ("GET", "/load_model", "POST"),
        ("GET", "/unload_model", "POST"),
        ("DELETE", "/models", "GET"),
        ("PATCH", "/active_model", "GET"),
        ("POST", "/v1/models", "GET"),
    ):
        response = await gateway.http.request(method, path, headers=json_type)
        assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
        assert response.headers["allow"] == allowed
        assert response.headers["x-should-retry"] == "false"
    assert (gateway.supervisor.loads, gateway.supervisor.loaded) == ([], "org/model")


async def test_request_ids_are_kept_if_they_can_stand_in_a_log(start_gateway):
    gateway = await start_gateway()
    for said, kept in (("abc-1.2_X", True), ("a" * 65, False), ("a b", False), ("", False)):
        response = await gateway.http.get("/livez", headers={"x-request-id": said})
        assert (response.headers["x-request-id"] == said) == kept


async def test_websockets_are_not_let_in(start_gateway):
    gateway = await start_gateway()
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await gateway.app({"type": "websocket", "path": "/livez", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_an_unexpected_error_tells_nothing_of_the_inside(start_gateway, monkeypatch, caplog):
    gateway = await start_gateway()
    monkeypatch.setattr(gateway.supervisor.__class__, "active", lambda _: 1 / 0)
    for path in ("/active_model", "/v1/models"):
        response = await gateway.http.get(path)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (500, "internal_error")
        assert (
            error["message"] == f"something went wrong here; the log has it under '{response.headers['x-request-id']}'"
        )
    response = await gateway.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
