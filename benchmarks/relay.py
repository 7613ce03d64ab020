"""What the gateway's data path costs: added latency and streaming throughput against the worker's own port.

    python benchmarks/relay.py [--rounds 7] [--events 20000] [--obvious]

Three processes: a source that emits events as fast as it can, the gateway (app, supervisor, log and database as in
`uml serve`) that has started it as its worker, and this one, the client. Every round asks both, one after the other, so
that what else runs meets both. `--obvious` adds the 15 lines that one would write first: FastAPI with httpx.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import uvloop

STREAMS = (1, 8, 32)
PACED_STREAMS, PACED_EVENTS, PACE_S = 32, 200, 0.01
LATENCY_REQUESTS = 300
MODEL = "bench"
CHUNK = {
    "choices": [{"finish_reason": None, "index": 0, "delta": {"content": " token"}}],
    "created": 1763800000,
    "id": "chatcmpl-0123456789abcdefghijABCDEFGHIJ01",
    "model": MODEL,
    "system_fingerprint": "b0000-0000000",
    "object": "chat.completion.chunk",
}


# --- the source ---------------------------------------------------------------------------------------------------


def framed(chunk: dict[str, Any]) -> bytes:
    frame = b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(frame), frame)


TOKEN = framed(CHUNK)
END = (
    framed({**CHUNK, "choices": [{"finish_reason": "stop", "index": 0, "delta": {}}]})
    + framed({**CHUNK, "choices": [], "usage": {"completion_tokens": 9, "prompt_tokens": 9, "total_tokens": 18}})
    + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = json.dumps({**CHUNK, "choices": [{"message": {"content": "x" * 200}, "finish_reason": "stop"}]}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(WHOLE), WHOLE)


class Source(asyncio.Protocol):
    """One connection of the source: an event a write, as an engine does, as long as the socket takes them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""
        self.left = 0
        self.pace_s = 0.0
        self.paused = self.closes = False

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if not separator or len(body) < length:
            return
        self.buffer = body[length:]
        self.closes = b"connection: close" in lower
        asked = json.loads(body[:length] or b"{}")
        if not asked.get("stream"):
            self.transport.write(ANSWER)
            self.end()
            return
        self.left, self.pace_s = asked["max_tokens"], asked.get("seed", 0) / 1e6
        self.transport.write(HEAD)
        self.paced() if self.pace_s else self.pump()

    def pump(self) -> None:
        if self.transport.is_closing():
            return
        for _ in range(min(self.left, 64)):
            if self.paused:
                return
            self.transport.write(TOKEN)
            self.left -= 1
        if self.left:
            asyncio.get_running_loop().call_soon(self.pump)
        else:
            self.transport.write(END)
            self.end()

    def paced(self) -> None:
        if self.left and not self.transport.is_closing():
            self.transport.write(TOKEN)
            self.left -= 1
            asyncio.get_running_loop().call_later(self.pace_s, self.paced)
        else:
            self.transport.write(END)
            self.end()

    def end(self) -> None:
        if self.closes:
            self.transport.close()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.left and not self.pace_s:
            self.pump()


async def source() -> None:
    launch = json.loads(Path(os.environ["UML_LAUNCH_FILE"]).read_text())
    server = await asyncio.get_running_loop().create_server(Source, launch["host"], launch["port"])
    await server.serve_forever()


def obvious(port: int) -> Any:
    """A relay as one would write it first."""
    import httpx
    from fastapi import FastAPI, Request
    from fastapi.responses import Response, StreamingResponse

    app = FastAPI()
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=None)

    async def chat(request: Request) -> Response:
        body = await request.json()
        asked = client.build_request("POST", "/v1/chat/completions", json=body)
        if not body.get("stream"):
            answer = await client.send(asked)
            return Response(answer.content, answer.status_code, media_type="application/json")

        async def frames() -> AsyncIterator[bytes]:
            answer = await client.send(asked, stream=True)
            async for piece in answer.aiter_raw():
                yield piece

        return StreamingResponse(frames(), media_type="text/event-stream")

    app.add_route("/v1/chat/completions", chat, methods=["POST"])
    return app


async def serve_obvious(port: int) -> None:
    import socket

    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(json.dumps(listener.getsockname()[1]), flush=True)
        config = uvicorn.Config(obvious(port), log_config=None, access_log=False, http="httptools")
        await uvicorn.Server(config).serve([listener])


@contextlib.contextmanager
def child(*arguments: str, **rest: Any) -> Iterator[tuple[Any, psutil.Process]]:
    """A process of this file; gives what it says first, and the process."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **rest)
    try:
        assert process.stdout
        yield json.loads(process.stdout.readline()), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


# --- the client ---------------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """Sends requests on one connection, and waits for marks in what comes back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.mark = b""
        self.tail = b""
        self.found: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        seen = self.tail + data
        if self.found and not self.found.done() and self.mark in seen:
            self.found.set_result(None)
        self.tail = seen[-16:]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.found and not self.found.done():
            self.found.set_exception(exc or ConnectionError("cut off"))

    async def ask(self, request: bytes, mark: bytes) -> None:
        self.mark, self.tail = mark, b""
        self.found = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self.found


def request(*, stream: bool = False, **rest: Any) -> bytes:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Why is the sky blue?"}], "stream": stream, **rest}
    data = json.dumps(body).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def connect(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


async def latency(port: int, asked: bytes, mark: bytes) -> float:
    """Median seconds from a request on a kept connection to the mark."""
    client, times = await connect(port), []
    for _ in range(LATENCY_REQUESTS):
        begin = time.perf_counter()
        await client.ask(asked, mark)
        times.append(time.perf_counter() - begin)
    client.transport.close()
    return statistics.median(times)


async def first_frame(port: int) -> float:
    """Median seconds from a request on a fresh connection to the first event of a stream."""
    times, asked = [], request(stream=True, max_tokens=1)
    for _ in range(LATENCY_REQUESTS // 3):
        client = await connect(port)
        begin = time.perf_counter()
        await client.ask(asked, b"data: {")
        times.append(time.perf_counter() - begin)
        client.transport.close()
    return statistics.median(times)


async def rate(port: int, streams: int, events: int) -> float:
    """Events a second over all streams."""
    asked = request(stream=True, max_tokens=events // streams)
    clients = [await connect(port) for _ in range(streams)]
    begin = time.perf_counter()
    await asyncio.gather(*(client.ask(asked, b"[DONE]") for client in clients))
    seconds = time.perf_counter() - begin
    for client in clients:
        client.transport.close()
    return events // streams * streams / seconds


async def paced_cost(port: int, process: psutil.Process) -> float:
    """CPU seconds of the relaying process an event, when events come one by one on many streams."""
    asked = request(stream=True, max_tokens=PACED_EVENTS, seed=int(PACE_S * 1e6))
    clients = [await connect(port) for _ in range(PACED_STREAMS)]
    before = sum(process.cpu_times()[:2])
    await asyncio.gather(*(client.ask(asked, b"[DONE]") for client in clients))
    used = sum(process.cpu_times()[:2]) - before
    for client in clients:
        client.transport.close()
    return used / (PACED_STREAMS * PACED_EVENTS)


# --- the table ----------------------------------------------------------------------------------------------------


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    return f"{form(statistics.median(values))} ({form(min(values))}-{form(max(values))})"


def milliseconds(value: float) -> str:
    return f"{value * 1e3:.2f}"


def share(value: float) -> str:
    return f"{value:.2f}"


async def measure(ports: dict[str, int], processes: dict[str, psutil.Process], asked: argparse.Namespace) -> None:
    relays = [name for name in ports if name != "source"]
    whole: dict[str, list[float]] = {name: [] for name in ports}
    first: dict[str, list[float]] = {name: [] for name in ports}
    rates: dict[str, dict[int, list[float]]] = {name: {streams: [] for streams in STREAMS} for name in ports}
    for port in ports.values():
        await rate(port, 1, asked.events)
    for _ in range(asked.rounds):
        for name, port in ports.items():
            whole[name].append(await latency(port, request(), b"model"))
        for name, port in ports.items():
            first[name].append(await first_frame(port))
        for streams in STREAMS:
            for name, port in ports.items():
                rates[name][streams].append(await rate(port, streams, asked.events))
    print("| | source itself |", " | ".join(relays), "|\n|---|---|" + "---|" * len(relays))
    for title, times in (("whole answer, p50 ms", whole), ("first frame, p50 ms", first)):
        added = [[ours - theirs for ours, theirs in zip(times[n], times["source"], strict=True)] for n in relays]
        cells = " | ".join(f"+{spread(values, milliseconds)}" for values in added)
        print(f"| {title} | {spread(times['source'], milliseconds)} | {cells} |")
    for streams in STREAMS:
        base = rates["source"][streams]
        cells = " | ".join(
            spread([ours / theirs for ours, theirs in zip(rates[name][streams], base, strict=True)], share)
            for name in relays
        )
        print(f"| {streams} streams, events/s | {spread(base, lambda value: f'{value / 1e3:.0f}k')} | {cells} |")
    costs = [f"{await paced_cost(ports[name], processes[name]) * 1e6:.0f} us" for name in relays]
    print(f"| CPU an event, {PACED_STREAMS} streams of {1 / PACE_S:.0f}/s | - | {' | '.join(costs)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--obvious", action="store_true")
    asked = parser.parse_args()
    before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="uml-bench-") as folder, contextlib.ExitStack() as stack:
        (port, own), process = stack.enter_context(child("gateway", folder))
        ports, processes = {"source": own, "gateway": port}, {"gateway": process}
        if asked.obvious:
            other, process = stack.enter_context(child("obvious", str(own)))
            ports["obvious"], processes["obvious"] = other, process
        uvloop.run(measure(ports, processes, asked))
    print(f"{os.cpu_count()} cores, load average {before[0]:.2f} before and {os.getloadavg()[0]:.2f} after")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["source"]:
            uvloop.run(source())
        case ["gateway", folder]:
            from relay_gateway import gateway

            uvloop.run(gateway(Path(folder)))
        case ["obvious", port]:
            uvloop.run(serve_obvious(int(port)))
        case _:
            main()
