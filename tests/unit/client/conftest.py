import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from attrs import field, mutable


@mutable
class ScriptedGateway:
    """A real HTTP server whose answers a test writes down, and which remembers what it was asked."""

    url: str
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(factory=dict)
    requests: list[tuple[str, str, bytes]] = field(factory=list)
    headers: list[dict[str, str]] = field(factory=list)

    def json(self, path: str, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answers[path] = lambda handler: self.reply(handler, body, status=status, headers=headers)

    @staticmethod
    def reply(
        handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def stream(self, path: str, *parts: bytes, last_chunk: bool = True) -> None:
        """Send *parts* as chunks of an event stream; without the last chunk the connection is cut."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for part in parts:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if last_chunk:
                handler.wfile.write(b"0\r\n\r\n")

        self.answers[path] = answer

    def script(self, path: str, *answers: Callable[[BaseHTTPRequestHandler], None]) -> None:
        """One answer after the other; the last one again and again."""
        rest = list(answers)

        def answer(handler: BaseHTTPRequestHandler) -> None:
            (rest.pop(0) if len(rest) > 1 else rest[0])(handler)

        self.answers[path] = answer

    def view(self, job: dict[str, object], *, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
        """The answer that is this."""
        return lambda handler: self.reply(handler, json.dumps(job).encode(), status=status)

    def events(
        self, *views: dict[str, object], cut: bool = False, kind: str = "job"
    ) -> Callable[[BaseHTTPRequestHandler], None]:
        """The answer that is an event for each, with rising ids; *cut* in the middle of what would come next."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            first = int(handler.headers.get("Last-Event-ID") or 0) + 1
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for number, view in enumerate(views, first):
                frame = b"id: %d\nevent: %s\ndata: %s\n\n" % (number, kind.encode(), json.dumps(view).encode())
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            handler.wfile.write(b"20\r\nid: 99\nev" if cut else b"0\r\n\r\n")

        return answer


@pytest.fixture
def job_view() -> Callable[..., dict[str, object]]:
    """A job's view, of one that has only begun; what is given differs."""

    def view(state: str = "starting", **said: object) -> dict[str, object]:
        ended = state in {"committed", "rolled_back", "failed", "cancelled"}
        return {
            "id": "job_1",
            "kind": "load",
            "state": state,
            "model": "m",
            "backend": "b",
            "reason": "",
            "created": "2026-01-01T00:00:00.000+00:00",
            "finished": "2026-01-01T00:00:01.000+00:00" if ended else None,
            "seconds": 1.2 if ended else None,
            "position": 0,
            "waiting": 1,
            "progress": None,
            "previous": None,
            "switched": state == "committed",
            "rolled_back": False,
            "cause": None,
            "rollback_cause": None,
            "release": None,
            "context_length": 64,
            "tasks": ["text-generation"],
            "port": 1,
            **said,
        }

    return view


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            scripted.requests.append((self.command, self.path, body))
            scripted.headers.append(dict(self.headers.items()))
            scripted.answers[self.path](self)
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        scripted = ScriptedGateway(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield scripted
        server.shutdown()
        thread.join()
