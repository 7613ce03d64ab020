r"""A worker without an engine: it speaks the worker protocol, and fails in the ways that its script says.

Run as ``python -I -S fake_worker.py`` with ``UML_LAUNCH_FILE`` set; the standard library is all it needs, so that it
starts in some 40 ms. The script is the model file's JSON (``FAKE1\n{"load_s": 2}``) with the plan's options on top;
:class:`uml_core.testing.FakeOptions` says what each key does. A prompt with ``nonce=xyz`` is answered with ``xyz`` as
its first token, so that a test can tell whose answer it got.
"""

from __future__ import annotations

import contextlib
import ctypes
import hmac
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

MAGIC = b"FAKE1\n"
DEFAULTS: dict[str, Any] = {
    "allocate_bytes": 0,
    "chunked": True,
    "context_length": 4096,
    "crash_idle_after_s": None,
    "deaf": False,
    "flood_bytes": 0,
    "foreign_errors": False,
    "grandchild": "none",
    "hold_gil": "none",
    "hold_gil_s": 0.0,
    "ignore_term": False,
    "load_exit": None,
    "load_fault_after_s": 0.0,
    "load_s": 0.0,
    "load_signal": None,
    "log": (),
    "log_progress": False,
    "never_listens": False,
    "never_ready": False,
    "quirk": "none",
    "report_progress": True,
    "stop_s": 0.0,
    "stream_fault": "none",
    "stream_fault_after": 3,
    "stream_signal": int(signal.SIGKILL),
    "text": "",
    "token": "right",
    "token_s": 0.0,
    "tokens": 8,
}
STATUS_WORDS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable"}
EXIT_BAD_FILE = 3


class Ended(Exception):
    """The answer ends here, without its usual end."""


class RefusedError(Exception):
    """The request gets an error body."""

    def __init__(self, status: int, message: str, code: str, type: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, dict[str, Any]] = {
            "error": {"message": message, "type": type, "param": None, "code": code}
        }


# --- the worker -------------------------------------------------------------------------------------------------


class FakeWorker:
    """The state that the threads share: how far the load is, how much was done, whether it is to stop."""

    def __init__(self, launch: dict[str, Any]) -> None:
        self.launch = launch
        self.script = read_script(launch["plan"])
        self.stopping = threading.Event()
        self.ready = False
        self.progress: float | None = 0.0 if self.script.report_progress else None
        self.activity = 0
        self.requests = 0

    def run(self) -> None:
        """Load, answer until TERM, and exit with 0."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN if self.script.ignore_term else self._on_term)
        say(*self.script.log)
        leave_grandchild(self.script.grandchild)
        self._hold_gil("before")
        if not self.script.never_listens:
            threading.Thread(target=self._accept, args=(listen(self.launch),), daemon=True).start()
        self._hold_gil("after")
        self._load()
        if self.stopping.wait(self.script.crash_idle_after_s):
            time.sleep(self.script.stop_s)
            leave(0)
        crash(self.script.stream_signal)

    def _on_term(self, *_: object) -> None:
        self.stopping.set()
        say("TERM")

    def _hold_gil(self, when: str) -> None:
        if self.script.hold_gil != when:
            return
        # blocked, because a signal would wake usleep, and native code is not that polite
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        ctypes.PyDLL(None).usleep(int(self.script.hold_gil_s * 1e6))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _load(self) -> None:
        script = self.script
        flood(script.flood_bytes)
        self.weights = b"\1" * script.allocate_bytes
        if script.load_exit is not None or script.load_signal is not None:
            self._work(script.load_fault_after_s)
            say("fake engine: the load failed as scripted")
            crash(script.load_signal) if script.load_exit is None else leave(script.load_exit)
        self._work(script.load_s)
        if script.never_ready:
            self.stopping.wait()
            leave(0)
        self.progress, self.ready = 1.0, True
        say("ready")

    def _work(self, seconds: float) -> None:
        started, said = time.monotonic(), -1
        while (elapsed := time.monotonic() - started) < seconds:
            part = elapsed / seconds
            self.activity += 1
            self.progress = part if self.script.report_progress else None
            if self.script.log_progress and int(part * 10) > said:
                said = int(part * 10)
                say(f"load progress {part:.2f}")
            if self.stopping.wait(min(0.02, seconds - elapsed)):
                leave(0)

    def _accept(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(self, connection), daemon=True).start()


def read_script(plan: dict[str, Any]) -> SimpleNamespace:
    """The model file's script with the plan's options on top; a bad file ends the process with code 3."""
    path = Path(plan["model"]["path"])
    try:
        scripted = json.loads(path.read_bytes().removeprefix(MAGIC) or b"{}")
    except (OSError, ValueError) as error:
        say(f"can't read '{path}': {error}")
        leave(EXIT_BAD_FILE)
    asked = {key: value for key, value in plan["options"].items() if value is not None}
    script = SimpleNamespace(**{**DEFAULTS, **scripted, **asked})
    script.context_length = plan.get("context_length") or script.context_length
    return script


def listen(launch: dict[str, Any]) -> socket.socket:
    """The inherited socket, or one bound to the port of the launch."""
    if launch["fd"] is not None:
        return socket.socket(fileno=launch["fd"])
    return socket.create_server((launch["host"], launch["port"]), backlog=128)


def leave_grandchild(kind: str) -> None:
    """Start a process in a session of its own that outlives this one, holding the inherited descriptors or none."""
    if kind == "none" or os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    say(f"grandchild {os.getpid()}")
    if kind == "closed":
        os.closerange(0, 1024)
        os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # dup2 makes them inheritable
            os.dup2(0, descriptor)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(3600)"])  # noqa: S606


def flood(size_bytes: int) -> None:
    """Write *size_bytes* to stdout, in lines, as fast as the reader takes them."""
    line = b"x" * 1023 + b"\n"
    for _ in range(size_bytes // len(line)):
        os.write(1, line)


def say(*lines: str) -> None:
    """Write to the log; in one call a line, so that threads don't mix."""
    for line in lines:
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode())


def crash(number: int) -> NoReturn:
    """End by signal *number*."""
    os.kill(os.getpid(), number)
    while True:  # until the signal is delivered
        time.sleep(1)


def leave(code: int) -> NoReturn:
    """End at once with *code*: other threads may be in the middle of anything."""
    os._exit(code)


# --- one request ------------------------------------------------------------------------------------------------


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
        health = {"state": state, "progress": worker.progress, "activity": worker.activity}
        reply(connection, 200 if worker.ready else 503, health)
    elif method != "POST" or path not in {"/v1/chat/completions", "/v1/completions"}:
        raise RefusedError(404, f"there is no {method} {path} here", "not_found")
    elif not worker.ready:
        raise RefusedError(503, "the model is being loaded", "model_loading", "unavailable_error")
    else:
        worker.requests += 1
        say(f"request {worker.requests} {path}")
        complete(Completion(worker, connection, chat="chat" in path, body=read_body(body)))


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


# --- an answer of the model -------------------------------------------------------------------------------------


class Completion:
    """One chat or text completion on its way."""

    def __init__(self, worker: FakeWorker, connection: socket.socket, *, chat: bool, body: dict[str, Any]) -> None:
        self.worker, self.connection, self.chat, self.body = worker, connection, chat, body
        self.stream = bool(body.get("stream"))
        self.quirk = worker.script.quirk
        self.prompt = prompt_of(body, chat=chat)
        self.prompt_tokens = len(self.prompt.split())
        self.sent = 0
        limit = worker.script.context_length
        if self.prompt_tokens > limit and self.quirk != "no_context_limit":
            raise too_long(self.prompt_tokens, limit, foreign=worker.script.foreign_errors)
        whole = tokens_of(worker.script, self.prompt)
        most = body.get("max_completion_tokens") or body.get("max_tokens") or len(whole)
        room = len(whole) if self.quirk == "no_max_tokens" else min(int(most), limit - self.prompt_tokens)
        self.tokens = whole[:room]
        self.finish = "stop" if len(self.tokens) == len(whole) else "length"
        self.answer_id = f"{'chatcmpl' if chat else 'cmpl'}-{worker.requests}"

    def tokens_in_time(self) -> Iterator[str]:
        """The tokens at the script's pace; stops when the client is gone, fails where the script says."""
        script = self.worker.script
        for token in self.tokens:
            self.fail_if_scripted(token)
            if script.token_s:
                self.wait(script.token_s)
            self.worker.activity += 1
            self.sent += 1
            yield token
        self.fail_if_scripted("")

    def wait(self, seconds: float) -> None:
        """Wait for the next token, unless the client leaves or the worker is told to stop."""
        listened = [] if self.worker.script.deaf else [self.connection]
        readable, _, _ = select.select(listened, [], [], seconds)
        gone = readable and not self.connection.recv(1, socket.MSG_PEEK)
        if gone or self.worker.stopping.is_set():
            say(f"cancelled after {self.sent} tokens")
            raise Ended

    def fail_if_scripted(self, token: str) -> None:
        script = self.worker.script
        if script.stream_fault != "none" and self.sent == script.stream_fault_after:
            FAULTS[script.stream_fault](self, token)

    def frame(self, token: str | None = None, *, role: bool = False, finish: str | None = None) -> bytes:
        """One event of the stream."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if role:
            choice["delta"] = {"role": "assistant", "content": ""}
        elif self.chat:
            choice["delta"] = {} if token is None else {"content": token}
        else:
            choice["text"] = token or ""
        return event({**self.envelope("chat.completion.chunk"), "choices": [choice]})

    def envelope(self, kind: str) -> dict[str, Any]:
        plan = self.worker.launch["plan"]
        model = plan["model"]["path"] if self.quirk == "other_name" else plan["model_id"]
        named = kind if self.chat else "text_completion"
        return {"id": self.answer_id, "object": named, "created": int(time.time()), "model": model}

    def usage(self) -> dict[str, int]:
        total = self.prompt_tokens + self.sent
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.sent, "total_tokens": total}

    def send(self, data: bytes) -> None:
        """Send a part of the stream, as an HTTP chunk if the script says so."""
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if self.worker.script.chunked else data
        with contextlib.suppress(OSError) if self.worker.script.deaf else contextlib.nullcontext():
            self.connection.sendall(chunk)


def complete(completion: Completion) -> None:
    """Answer as one body or as a stream."""
    stream_answer(completion) if completion.stream else whole_answer(completion)


def whole_answer(completion: Completion) -> None:
    text = "".join(completion.tokens_in_time())
    said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if completion.chat else {"text": text}
    choice = {"index": 0, "finish_reason": completion.finish, **said}
    body = {**completion.envelope("chat.completion"), "choices": [choice], "usage": completion.usage()}
    reply(completion.connection, 200, body)


def stream_answer(completion: Completion) -> None:
    framing = "Transfer-Encoding: chunked\r\n" if completion.worker.script.chunked else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}Connection: close\r\n\r\n"
    completion.connection.sendall(head.encode())
    quirk = completion.quirk
    if completion.chat and quirk != "no_role":
        completion.send(completion.frame(role=True))
    for number, token in enumerate(completion.tokens_in_time()):
        if quirk != "lost_text" or number != 1:
            completion.send(completion.frame(token))
    for _ in range(2 if quirk == "two_finishes" else 1):
        completion.send(completion.frame(finish=completion.finish))
    if (completion.body.get("stream_options") or {}).get("include_usage") and quirk != "no_usage":
        last = {**completion.envelope("chat.completion.chunk"), "choices": [], "usage": completion.usage()}
        completion.send(event(last))
    if quirk != "no_done":
        completion.send(b"data: [DONE]\n\n")
    if completion.worker.script.chunked:
        completion.connection.sendall(b"0\r\n\r\n")


def prompt_of(body: dict[str, Any], *, chat: bool) -> str:
    """The text of a request; refuses one without."""
    if not chat:
        if not isinstance(body.get("prompt"), str):
            raise RefusedError(400, "'prompt' must be a string", "invalid_request")
        return str(body["prompt"])
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise RefusedError(400, "'messages' must be a list of messages", "invalid_request")
    return "\n".join(str(message.get("content", "")) for message in messages)


def tokens_of(script: SimpleNamespace, prompt: str) -> list[str]:
    """What the model says: the scripted text, a character a token, or the prompt's last nonce and numbered words."""
    if script.text:
        return list(script.text)
    nonces = re.findall(r"nonce=(\w+)", prompt)
    return [nonces[-1] if nonces else "Hello", *(f" word{number}" for number in range(1, script.tokens))]


def too_long(size: int, limit: int, *, foreign: bool) -> RefusedError:
    """What a prompt over the context gets; *foreign* words it as an engine with names of its own does."""
    message = f"the prompt has {size} tokens, but the context holds {limit}"
    if not foreign:
        return RefusedError(400, message, "context_length_exceeded")
    refused = RefusedError(400, message, "", "exceed_context_size_error")
    refused.body["error"] = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return refused


def event(value: object) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


# --- faults in the middle of an answer --------------------------------------------------------------------------


def _crash(completion: Completion, _: str) -> None:
    crash(completion.worker.script.stream_signal)


def _half_frame(completion: Completion, token: str) -> None:
    if completion.stream:
        frame = completion.frame(token)
        completion.send(frame[: len(frame) // 2])
    crash(signal.SIGKILL)


def _hang(completion: Completion, _: str) -> None:
    completion.worker.stopping.wait()
    raise Ended


def _freeze(*_: object) -> None:
    crash(signal.SIGSTOP)


def _close(*_: object) -> None:
    raise Ended


def _error(completion: Completion, _: str) -> None:
    refused = RefusedError(503, "the fake engine failed as scripted", "engine_failed", "server_error")
    if not completion.stream:
        raise refused
    completion.send(event(refused.body))
    raise Ended


def _garbage(completion: Completion, _: str) -> None:
    completion.send(b"data: {this is not JSON\n\n")
    raise Ended


FAULTS: dict[str, Callable[[Completion, str], None]] = {
    "crash": _crash,
    "half_frame": _half_frame,
    "hang": _hang,
    "freeze": _freeze,
    "close": _close,
    "error": _error,
    "garbage": _garbage,
}


def main() -> None:
    """Read the launch file and run."""
    FakeWorker(json.loads(Path(os.environ["UML_LAUNCH_FILE"]).read_text("utf-8"))).run()


if __name__ == "__main__":
    main()
