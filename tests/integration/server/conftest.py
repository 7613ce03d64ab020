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
import openai
import pytest
import sqlalchemy
from attrs import evolve, field, frozen, mutable
from uvicorn import Config
from uvicorn.server import ServerState

from uml_core import API_VERSION, hookimpl
from uml_core import plugins as plugin_loader
from uml_core.errors import (
    ConflictError,
    ModelLoadingError,
    NotFoundError,
    RequestCancelledError,
    TaskNotSupportedError,
    UMLError,
)
from uml_core.inspection import plugin as formats
from uml_core.planning import Planner
from uml_core.registry import FolderStore, Registry
from uml_core.registry.records import Records
from uml_core.server.app import create_app
from uml_core.server.in_flight import InFlight
from uml_core.server.pace import Pace
from uml_core.server.protocol import GatewayProtocol
from uml_core.server.run import kept
from uml_core.server.scans import Scans
from uml_core.settings import Settings
from uml_core.storage import Storage
from uml_core.supervisor import Supervisor
from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.events import Events
from uml_core.supervisor.messages import Ticket, Waiting
from uml_core.supervisor.views import job_view
from uml_core.tasks import plugin as tasks
from uml_core.testing import FakeBackend, FakeStore, write_fake_model
from uml_core.testing.gguf import write_gguf
from uml_core.types import (
    JobStatus,
    LoadProgress,
    LoadRequest,
    MemoryPart,
    ModelSource,
    ModelStore,
    Plan,
    StoredModel,
    SwitchState,
    WorkerExit,
    WorkerState,
)

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
    progress: LoadProgress | None = None
    restarts: int = 0
    health: str = "ok"
    measured: tuple[MemoryPart, ...] = ()


@mutable
class LeaseStandIn:
    worker: WorkerClient
    generation: int
    queue_s: float = 0.25
    prompt_tokens: int = 0
    completion_tokens: int = 0


@mutable
class SupervisorStandIn:
    """Lends a client of the raw worker. ``loading`` keeps every job waiting until it is set; ``failure`` ends it.

    ``exits`` are the generations that have ended; each attempt at a request gets the next generation.
    """

    worker: RawWorker | None
    options: dict[str, Any] = field(factory=dict)
    loaded: str | None = "org/model"
    state: WorkerState = WorkerState.READY
    loading: asyncio.Event | None = None
    failure: UMLError | None = None
    eta_s: float | None = None
    leases: int = 0
    given: int = 0
    held: int = 0
    why_not: str | None = None
    exits: set[int] = field(factory=set)
    exit_s: float = 0.0
    refused: dict[int, UMLError] = field(factory=dict)
    tickets: list[Ticket] = field(factory=list)
    loads: list[LoadRequest] = field(factory=list)
    queue: list[Waiting] = field(factory=list)
    events: Events = field(factory=Events)
    known: dict[str, JobStatus] = field(factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(factory=dict)
    submitted: int = 0

    def active(self) -> ActiveStandIn | None:
        return ActiveStandIn(plan_of(self.loaded), self.state, leases=self.leases) if self.loaded else None

    async def freed(self) -> dict[str, int]:
        return {}

    def waiting(self) -> list[Waiting]:
        return self.queue

    # Requests

    @contextlib.asynccontextmanager
    async def lease(
        self, request: LoadRequest, task: str, *, wait_s: float | None = None, ticket: Ticket
    ) -> AsyncIterator[LeaseStandIn]:
        self.tickets.append(ticket)
        if error := self.refused.get(ticket.attempt):
            raise error
        if task != "text-generation":
            raise TaskNotSupportedError(f"model '{request.model}' can't do {task}")
        if request.model != self.loaded:
            await self._wait_for(request, wait_s)
        assert self.worker is not None
        generation = 6 + ticket.attempt
        self.leases += 1
        self.given += 1
        try:
            yield LeaseStandIn(
                self.worker.client(model_id=request.model, generation=generation, **self.options), generation
            )
        finally:
            self.leases -= 1

    async def _wait_for(self, request: LoadRequest, wait_s: float | None) -> None:
        job = await self.submit(request)
        self.held += 1
        try:
            async with asyncio.timeout(wait_s):
                job = await self.wait(job.id)
        except TimeoutError:
            error = ModelLoadingError(f"model '{request.model}' is still being loaded", retry_after_s=5)
            error.job = self.job(job.id)
            raise error from None
        finally:
            self.held -= 1
        if job.cause:
            raise job.cause

    async def crash_of(self, generation: int) -> WorkerExit | None:
        await asyncio.sleep(self.exit_s)
        ended = WorkerExit(code=None, signal=9, state="busy", intended=False)
        return ended if generation in self.exits else None

    # Jobs

    async def submit(self, request: LoadRequest, *, allow_path: bool = False) -> JobStatus:
        assert not allow_path
        self.submitted += 1
        for job in self.known.values():
            if job.request == request and not job.ended:
                return job
        if self.loaded == request.model:
            return self._note(self._new("load", request), SwitchState.COMMITTED)
        return self._begin(self._new("load", request))

    async def submit_unload(self) -> JobStatus:
        return self._begin(self._new("unload", None))

    def _new(self, kind: str, request: LoadRequest | None) -> JobStatus:
        plan = plan_of(request.model) if request else None
        return JobStatus(
            id=f"job_{len(self.known) + 1}",
            kind=kind,
            state=SwitchState.CHECKING,
            request=request,
            plan=plan,
            previous=self.loaded,
            reason=f"{kind} was asked for",
            created=datetime.now(UTC),
            progress=LoadProgress(stage="loading", part=0.5, source="log", eta_s=self.eta_s),
        )

    def _begin(self, job: JobStatus) -> JobStatus:
        self.tasks[job.id] = asyncio.create_task(self._perform(job))
        return self._note(job, SwitchState.STARTING)

    def _note(self, job: JobStatus, state: SwitchState, **rest: Any) -> JobStatus:
        ended = state not in {SwitchState.CHECKING, SwitchState.STARTING}
        finished = {"finished": datetime.now(UTC), "seconds": 0.1, "progress": None} if ended else {}
        job = self.known[job.id] = evolve(job, state=state, **finished, **rest)
        self.events.publish("job", job_view(job))
        return job

    async def _perform(self, job: JobStatus) -> None:
        try:
            if self.loading is not None:
                await self.loading.wait()
        except asyncio.CancelledError:
            self._note(job, SwitchState.CANCELLED, cause=RequestCancelledError("the load was cancelled"))
        else:
            if self.failure:
                self._note(job, SwitchState.ROLLED_BACK, cause=self.failure, rolled_back=True)
                return
            self.loaded = job.request.model if job.request else None
            if job.request:
                self.loads.append(job.request)
            self._note(job, SwitchState.COMMITTED, switched=True, port=18650)

    async def wait(self, job_id: str) -> JobStatus:
        if job_id in self.tasks:
            await asyncio.wait([self.tasks[job_id]])
        return self.job(job_id)

    async def cancel(self, job_id: str) -> JobStatus:
        if self.job(job_id).ended:
            raise ConflictError(f"job '{job_id}' has ended")
        self.tasks[job_id].cancel()
        return await self.wait(job_id)

    def job(self, job_id: str) -> JobStatus:
        if job_id not in self.known:
            raise NotFoundError(f"there is no job '{job_id}'")
        return self.known[job_id]

    def jobs(self) -> list[JobStatus]:
        return sorted(self.known.values(), key=lambda job: (job.ended, job.id))

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@mutable
class RowsStandIn:
    """Keeps the rows of requests as they come."""

    run_id: str = "run"
    degraded: str | None = None
    rows: list[dict[str, Any]] = field(factory=list)

    def put(self, table: str, row: dict[str, Any]) -> None:
        if table == "requests":
            self.rows.append(dict(row))


def plan_of(model_id: str) -> Plan:
    source = ModelSource(path=Path("/nowhere"), format="fake", files=(), size_bytes=1)
    return Plan(model_id=model_id, model=source, backend="fake", tasks=("text-generation",), context_length=4096)


class CountedRegistry(Registry):
    """Three models, one of them unreadable; counts what it is asked."""

    def __init__(self, plugins: plugin_loader.Plugins, settings: Settings, records: Records) -> None:
        super().__init__(plugins.stores(), plugins.formats(), settings, records=records)
        self.folder = settings.models_folder
        self.scans = 0
        self.finds = 0
        self.write("org/model")
        self.write("other")
        (self.folder / "broken.gguf").write_bytes(b"GGUF" + bytes(3))

    def write(self, id: str, **facts: Any) -> Path:
        """Put a model into the folder."""
        path = self.folder / f"{id}.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_gguf(path, {"general.architecture": "llama", "general.name": id, **facts}, tensors={"w": [4, 8]})

    def models(self) -> list[StoredModel]:
        self.scans += 1
        return super().models()

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel:
        self.finds += 1
        return super().find(ref, allow_path=allow_path)


@mutable
class Gateway:
    """The app on a port of this machine."""

    url: str
    app: Any
    supervisor: SupervisorStandIn
    registry: CountedRegistry
    scans: Scans
    in_flight: InFlight
    http: httpx.AsyncClient
    connections: set[Any]
    worker: RawWorker | None = None
    storage: RowsStandIn = field(factory=RowsStandIn)

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


@contextlib.asynccontextmanager
async def on_a_port(app: Any) -> AsyncIterator[tuple[str, set[Any]]]:
    """Serve *app* as the gateway does, on a free port; gives its URL and the connections."""
    config = Config(app, http="httptools", ws="none", lifespan="off", log_config=None, proxy_headers=False)
    config.load()
    state = ServerState()
    listening = await asyncio.get_running_loop().create_server(
        lambda: GatewayProtocol(config, state, {}), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", state.connections
    finally:
        await _close(listening, state)


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
            tables: dict[str, Any] | None = None,
            **supervised: Any,
        ) -> Gateway:
            worker = await start_worker(script) if script else None
            supervisor = SupervisorStandIn(worker, **supervised)
            stack.push_async_callback(supervisor.close)
            storage, in_flight = RowsStandIn(), InFlight()
            settings = Settings(data_dir=tmp_path, server=server or {}, **(tables or {}))
            stores = {"formats": formats, "stores": OwnFolder(settings.models_folder)}
            builtins = stores | {"tasks": tasks} | ({"extra": extra} if extra else {})
            plugins = plugin_loader.load(builtins=builtins, entry_points=[])
            registry = CountedRegistry(plugins, settings, Records(storage))
            scans = Scans(registry, supervisor.events)
            stack.callback(scans.close)
            app = create_app(
                settings, plugins, registry, supervisor, storage=storage, scans=scans, in_flight=in_flight, pace=pace
            )
            url, connections = await stack.enter_async_context(on_a_port(app))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20, verify=False))
            return Gateway(url, app, supervisor, registry, scans, in_flight, http, connections, worker, storage)

        yield start


@mutable
class House:
    """A gateway as it is served, but for the process of its own: only the engine is a script."""

    folder: Path
    settings: Settings
    backend: FakeBackend
    supervisor: Supervisor
    storage: Storage
    in_flight: InFlight
    http: httpx.AsyncClient
    openai: openai.AsyncOpenAI

    def model(self, name: str, **script: Any) -> str:
        """Write a model whose worker does what the script says."""
        write_fake_model(self.folder / f"{name}.fake", **script)
        return name

    async def load(self, name: str, **rest: Any) -> httpx.Response:
        return await self.http.post("/load_model", json={"model": name, "wait": True, **rest})

    async def chat(self, **rest: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": "hi"}], **rest}
        return await self.http.post("/v1/chat/completions", json=body)

    async def rows(self, columns: str) -> list[tuple[Any, ...]]:
        """The requests' rows, oldest first."""
        await asyncio.to_thread(self.storage.flush)
        select = sqlalchemy.text(f"SELECT {columns} FROM requests ORDER BY started")
        return [tuple(row.values()) for row in await self.storage.select(select, limit_s=10)]


class OwnFolder:
    """The models folder, and no other store: a test knows nothing of what else is on the machine."""

    uml_api_version = API_VERSION

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder)

    @hookimpl
    def uml_model_stores(self):
        yield ModelStore(
            name=self.store.name, list=self.store.list, remove=self.store.remove, folders=(self.store.folder,)
        )


@pytest.fixture
async def start_house(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """Start a gateway with a real supervisor, a real database and real worker processes."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, pace: Pace | None = None, **tables: Any) -> House:
            folder = tmp_path / "models"
            folder.mkdir()
            backend, settings = FakeBackend(), Settings(data_dir=tmp_path / "data", **tables)
            builtins = {"tasks": tasks, "fake": backend, "fakes": FakeStore(folder)}
            plugins = plugin_loader.load(builtins=builtins, entry_points=[])
            registry = Registry(plugins.stores(), plugins.formats(), settings)
            settings.data_dir.mkdir()
            storage = stack.enter_context(kept(Storage(settings.data_dir), limit_s=5))
            planner, in_flight = Planner(plugins, registry, settings), InFlight()
            supervisor = await stack.enter_async_context(Supervisor(plugins, planner, settings, storage=storage))
            app = create_app(settings, plugins, registry, supervisor, storage=storage, in_flight=in_flight, pace=pace)
            url, _ = await stack.enter_async_context(on_a_port(app))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60, verify=False))
            own = openai.DefaultAsyncHttpxClient(verify=False)
            client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=own)
            await stack.enter_async_context(client)
            return House(folder, settings, backend, supervisor, storage, in_flight, http, client)

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
