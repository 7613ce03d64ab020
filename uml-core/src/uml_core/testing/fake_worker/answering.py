"""One request over one connection."""

from __future__ import annotations

import contextlib
import hmac
import json
import signal
import socket
from typing import TYPE_CHECKING, Any

from .completion import Completion, complete
from .process import crash, say
from .refusal import Ended, RefusedError

if TYPE_CHECKING:
    from .worker import FakeWorker

STATUS_WORDS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
PATHS = {"/v1/chat/completions", "/v1/completions"}


def answer(worker: FakeWorker, connection: socket.socket) -> None:
    """Read one request, answer it, close the connection."""
    with connection, contextlib.suppress(OSError, Ended):
        try:
            method, path, headers, body = read_request(connection)
            check_token(worker, headers.get("authorization", ""))
            route(worker, connection, method, path, body)
        except RefusedError as refused:
            if worker.script.quirk == "dies_of_errors" and refused.status == 400:
                crash(signal.SIGABRT)
            reply(connection, refused.status, "Bad" if worker.script.quirk == "bare_errors" else refused.body)


def read_request(connection: socket.socket) -> tuple[str, str, dict[str, str], bytes]:
    """Method, path, headers with lower-case names, and the body."""
    with connection.makefile("rb") as stream:
        method, path, _ = stream.readline(65536).decode("latin-1").split(" ", 2)
        headers = {}
        while line := stream.readline(65536).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return method, path, headers, stream.read(int(headers.get("content-length", 0)))


def check_token(worker: FakeWorker, authorization: str) -> None:
    """Refuse what does not carry the token; the script may take any token, or none."""
    rule, token = worker.script.token, f"Bearer {worker.launch['token']}"
    right = hmac.compare_digest(authorization.encode(), token.encode())
    if rule == "wrong" or (rule == "right" and not right):
        raise RefusedError(401, "wrong token", "invalid_api_key")


def route(worker: FakeWorker, connection: socket.socket, method: str, path: str, body: bytes) -> None:
    """Answer by path."""
    if (method, path) == ("GET", "/health"):
        state = "ready" if worker.ready else "loading"
        health = {"state": state, "progress": worker.progress, "activity": worker.activity, "queued": 0}
        health["overhead_bytes"] = worker.overhead_bytes
        reply(connection, 200 if worker.ready else 503, health)
    elif method != "POST" or path not in PATHS:
        raise RefusedError(404, f"there is no {method} {path} here", "not_found")
    elif not worker.ready:
        raise RefusedError(503, "the model is being loaded", "model_loading", "unavailable_error")
    else:
        generate(worker, connection, path, body)


def generate(worker: FakeWorker, connection: socket.socket, path: str, body: bytes) -> None:
    """Answer with what the model says."""
    number = worker.begin()
    try:
        say(f"request {number} {path}")
        completion = Completion(worker, connection, number=number, chat="chat" in path, body=read_body(body))
        whole = complete(completion)
        if whole is not None:
            reply(connection, 200, whole)
        worker.finish()
    finally:
        worker.end()


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise RefusedError(400, f"the body is not JSON: {error}", "invalid_json") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "the body must be a JSON object", "invalid_request")
    return value


def reply(connection: socket.socket, status: int, body: object) -> None:
    """Send one JSON answer."""
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} {STATUS_WORDS[status]}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
