"""A worker that answers as the test says, a stand-in for the supervisor, and the gateway on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import field, frozen, mutable
from uvicorn import Config
from uvicorn.server import ServerState

from uml_core import plugins as plugin_loader
from uml_core.errors import InvalidModelFileError, ModelLoadingError, ModelNotFoundError, TaskNotSupportedError
from uml_core.server.app import create_app
from uml_core.server.in_flight import InFlight
from uml_core.server.pace import Pace
from uml_core.server.protocol import GatewayProtocol
from uml_core.settings import Settings
from uml_core.supervisor.client import WorkerClient
from uml_core.tasks import plugin as tasks
from uml_core.types import LoadRequest, ModelSource, Plan, StoredModel, WorkerState

TOKEN = "t0ken"


@frozen
class Asked:
    """One request as the worker got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@mutable
class RawWorker:
    """A TCP server that reads requests properly and answers them in whatever way the script does."""

    script: Script
    port: int = 0
    asked: list[Asked] = field(factory=list)
    gone: asyncio.Event = field(factory=asyncio.Event)
    """Set when a client has dropped its connection before the script ended."""

    _tasks: set[asyncio.Task[Any]] = field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = await self._read(reader)
            self.asked.append(asked)
            answer = asyncio.ensure_future(self.script(asked, writer))
            watch = asyncio.ensure_future(reader.read())
            await asyncio.wait([answer, watch], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() or isinstance(answer.exception(), ConnectionError):
                self.gone.set()
            for task in (answer, watch):
                task.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)

    async def close(self) -> None:
        """End the connections that are left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Asked(method, path, headers, body)

    def client(self, **rest: Any) -> WorkerClient:
        known = {"model_id": "org/model", "generation": 7, "error_codes": {}, "silence_s": 30.0}
        return WorkerClient("127.0.0.1", self.port, TOKEN, **{**known, **rest})


@pytest.fixture
async def start_worker() -> AsyncIterator[Callable[[Script], Awaitable[RawWorker]]]:
    """Start workers that live as long as the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(script: Script) -> RawWorker:
            worker = RawWorker(script)
            server = await asyncio.start_server(worker.serve, "127.0.0.1", 0)
            stack.push_async_callback(server.wait_closed)
            stack.push_async_callback(worker.close)
            stack.callback(server.close)
            worker.port = server.sockets[0].getsockname()[1]
            return worker

        yield start


class Wire:
    """The bytes that workers send."""

    SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    DONE = b"data: [DONE]\n\n"

    @staticmethod
    def json(body: object, *, status: int = 200) -> bytes:
        data = json.dumps(body).encode()
        return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            status,
            len(data),
            data,
        )

    @staticmethod
    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data)

    @staticmethod
    def frame(text: str | None = None, *, finish: str | None = None, **rest: Any) -> bytes:
        delta = {} if text is None else {"content": text}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **rest}
        return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"

    @classmethod
    def usage(cls, prompt: int = 3, completion: int = 5) -> bytes:
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return cls.frame(choices=[], usage=usage)

    @classmethod
    def answer(cls, *texts: str) -> list[bytes]:
        """The frames of a good stream, with the usage that the gateway always asks for."""
        return [*(cls.frame(text) for text in texts), cls.frame(finish="stop"), cls.usage(), cls.DONE]

    @classmethod
    def stream(cls, frames: Sequence[bytes], *, end: bool = True) -> Script:
        """A script that sends the frames, a chunk each, and ends the body properly or drops the connection."""

        async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(cls.SSE_HEAD + b"".join(cls.chunk(frame) for frame in frames))
            if end:
                writer.write(b"0\r\n\r\n")
            await writer.drain()

        return script

    @staticmethod
    def bytes(data: bytes) -> Script:
        """A script that sends *data* and closes."""

        async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(data)
            await writer.drain()

        return script


@pytest.fixture
def wire() -> type[Wire]:
    return Wire


@frozen
class ActiveStandIn:
    plan: Plan
    state: WorkerState = WorkerState.READY
    generation: int = 7
    port: int | None = 18650
    pid: int | None = 1
    leases: int = 0
    since: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    progress: float | None = None


@mutable
class SupervisorStandIn:
    """Lends a client of the raw worker. ``loading`` keeps every load waiting until it is set."""

    worker: RawWorker | None
    options: dict[str, Any] = field(factory=dict)
    loaded: str | None = "org/model"
    state: WorkerState = WorkerState.READY
    loading: asyncio.Event | None = None
    leases: int = 0
    given: int = 0
    waiting: int = 0
    accepting: bool = True
    loads: list[LoadRequest] = field(factory=list)

    def active(self) -> ActiveStandIn | None:
        return ActiveStandIn(plan_of(self.loaded), self.state, leases=self.leases) if self.loaded else None

    @contextlib.asynccontextmanager
    async def lease(self, request: LoadRequest, task: str, *, wait_s: float | None = None) -> AsyncIterator[Any]:
        if task != "text-generation":
            raise TaskNotSupportedError(f"model '{request.model}' can't do {task}")
        if request.model != self.loaded:
            await self._load(request, wait_s)
        assert self.worker is not None
        self.leases += 1
        self.given += 1
        try:
            yield self.worker.client(model_id=request.model, **self.options)
        finally:
            self.leases -= 1

    async def _load(self, request: LoadRequest, wait_s: float | None) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout(wait_s):
                if self.loading is not None:
                    await self.loading.wait()
        except TimeoutError:
            raise ModelLoadingError(f"model '{request.model}' is still being loaded", retry_after_s=5) from None
        finally:
            self.waiting -= 1
        self.loads.append(request)
        self.loaded = request.model

    async def load(self, request: LoadRequest, *, allow_path: bool = False) -> Plan:
        assert not allow_path
        await self._load(request, None)
        return plan_of(request.model)

    async def unload(self) -> str | None:
        unloaded, self.loaded = self.loaded, None
        return unloaded


def plan_of(model_id: str) -> Plan:
    source = ModelSource(path=Path("/nowhere"), format="fake", files=(), size_bytes=1)
    return Plan(model_id=model_id, model=source, backend="fake", tasks=("text-generation",), context_length=4096)


@mutable
class RegistryStandIn:
    """Three models, one of them unreadable."""

    folder: Path
    scans: int = 0
    finds: int = 0

    def models(self) -> list[StoredModel]:
        self.scans += 1
        return [
            StoredModel(id=name, path=self.folder, size_bytes=12, store="folder")
            for name in ("org/model", "other", "broken")
        ]

    def source(self, model: StoredModel) -> ModelSource:
        if model.id == "broken":
            raise InvalidModelFileError("'broken' is truncated; fetch it again")
        return ModelSource(path=model.path, format="gguf", files=(model.path,), size_bytes=12, architecture="llama")

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel:
        self.finds += 1
        known = {model.id: model for model in self.models()} | {"alias": self.models()[0]}
        if ref not in known:
            raise ModelNotFoundError(f"there is no model '{ref}' here; `uml list` shows those that are", param="model")
        return known[ref]


@mutable
class Gateway:
    """The app on a port of this machine."""

    url: str
    app: Any
    supervisor: SupervisorStandIn
    registry: RegistryStandIn
    in_flight: InFlight
    http: httpx.AsyncClient
    connections: set[Any]
    worker: RawWorker | None = None

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    async def chat(self, **rest: Any) -> httpx.Response:
        body = {"model": "org/model", "messages": [{"role": "user", "content": "hi"}], **rest}
        return await self.http.post("/v1/chat/completions", json=body)

    async def raw(self, data: bytes, *, read: bool = True) -> bytes:
        """Send bytes as they are, and read until the connection is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(), 10) if read else b""
        finally:
            writer.close()


@pytest.fixture
async def start_gateway(tmp_path: Path, start_worker: Any) -> AsyncIterator[Callable[..., Awaitable[Gateway]]]:
    """Start gateways over a raw worker with a script, or over none."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            script: Script | None = None,
            *,
            server: dict[str, Any] | None = None,
            pace: Pace | None = None,
            extra: object = None,
            **supervised: Any,
        ) -> Gateway:
            worker = await start_worker(script) if script else None
            supervisor = SupervisorStandIn(worker, **supervised)
            registry, in_flight = RegistryStandIn(tmp_path), InFlight()
            builtins = {"tasks": tasks} | ({"extra": extra} if extra else {})
            plugins = plugin_loader.load(builtins=builtins, entry_points=[])
            settings = Settings(data_dir=tmp_path, server=server or {})
            app = create_app(settings, plugins, registry, supervisor, in_flight=in_flight, pace=pace)
            config = Config(app, http="httptools", ws="none", lifespan="off", log_config=None, proxy_headers=False)
            config.load()
            state = ServerState()
            listening = await asyncio.get_running_loop().create_server(
                lambda: GatewayProtocol(config, state, {}), "127.0.0.1", 0
            )
            stack.push_async_callback(_close, listening, state)
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20, verify=False))
            return Gateway(url, app, supervisor, registry, in_flight, http, state.connections, worker)

        yield start


async def _close(listening: asyncio.Server, state: ServerState) -> None:
    listening.close()
    for connection in list(state.connections):
        connection.transport.abort()
    async with asyncio.timeout(5):
        while state.tasks:
            await asyncio.sleep(0.005)
    await listening.wait_closed()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait until something is so, for 10 s at most."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.002)

    return wait
