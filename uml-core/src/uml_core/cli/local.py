"""A session without a gateway: a supervisor in this process, ended with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uml_core.bench.rig import Running
from uml_core.cli.answering import answering
from uml_core.cli.background import Background
from uml_core.cli.here import plugins_here
from uml_core.cli.interrupt import impatient
from uml_core.cli.plan_line import tell_plan
from uml_core.cli.session import Loaded, Messages
from uml_core.cli.stage import Stage, stage_of
from uml_core.client import Answer
from uml_core.client.frames import Frames
from uml_core.errors import ModelFailedError, ModelNotFoundError, UMLError, UnavailableError, WorkerCrashedError
from uml_core.server.compose import registry_of, storage_of, supervisor_of
from uml_core.server.errors import invalid_body
from uml_core.server.failure import error_of
from uml_core.server.gateway import hold
from uml_core.server.inventory import Inventory
from uml_core.server.stream import EventStream
from uml_core.server.usage import Usage
from uml_core.supervisor.diagnosis import diagnose, to_error
from uml_core.supervisor.views import job_view
from uml_core.types import LoadRequest

if TYPE_CHECKING:
    from uml_core.plugins import Plugins
    from uml_core.registry import Registry
    from uml_core.settings import Settings
    from uml_core.supervisor import Supervisor
    from uml_core.supervisor.client import WorkerClient
    from uml_core.types import Offer, Plan, Profile

PATH = "/v1/chat/completions"
LEISURE_S = 30.0
"""One answer is over before; its rows are in the journal, and the next process that opens the database writes them."""

Arrived = SimpleQueue["bytes | BaseException | None"]
"""What the loop's thread hands to the main thread: bytes, then what went wrong or None for the end."""


class LocalSession:
    """Loads and asks through a supervisor whose loop runs in the background."""

    def __init__(
        self,
        plugins: Plugins,
        registry: Registry,
        supervisor: Supervisor,
        background: Background,
        *,
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._plugins = plugins
        self._registry = registry
        self._supervisor = supervisor
        self._background = background
        self._request: LoadRequest | None = None

    def active(self) -> str | None:
        active = self._supervisor.active()
        return active.plan.model_id if active else None

    def models(self) -> list[str]:
        formats = {format for backend in self._plugins.backends.values() for format in backend.formats}
        listing = Inventory(self._registry, self._plugins, self._settings).listing()
        return answering(listing["data"], formats)

    def knows(self, ref: str) -> bool:
        try:
            self._registry.find(ref, allow_path=True)
        except ModelNotFoundError:
            return False
        return True

    def offer(self, ref: str) -> Offer | None:
        return self._registry.offer(ref)

    def load(self, request: LoadRequest) -> Loaded:
        """Load it; an interrupt cancels the load, and what was loaded before comes back."""
        begun = self._background.run(self._supervisor.submit(request, allow_path=True))
        telling = self._background.start(self._tell_plan(begun.id))
        try:
            job = self._background.run(self._supervisor.wait(begun.id))
        except KeyboardInterrupt:
            with contextlib.suppress(UMLError):  # it ended in this very moment
                self._background.run(self._supervisor.cancel(begun.id))
            raise
        finally:
            telling.cancel()
        if job.cause is not None:
            job.cause.job = job
            raise job.cause
        assert job.plan is not None
        self._request = request
        return Loaded(model=job.plan.model_id, backend=job.plan.backend, context_length=job.plan.context_length)

    async def _tell_plan(self, job_id: str) -> None:
        async with contextlib.aclosing(self._supervisor.events.subscribe()) as events:
            told = tell_plan(job_view(self._supervisor.job(job_id)))
            while not told:
                event = await anext(events)
                told = event.kind == "job" and event.data["id"] == job_id and tell_plan(event.data)

    def unload(self) -> None:
        self._background.run(self._supervisor.unload())

    def running(self) -> Running | None:
        active = self._supervisor.active()
        if active is None:
            return None
        plan = active.plan
        return Running(
            model=plan.model_id,
            backend=plan.backend,
            generation=active.generation,
            pid=active.pid,
            context_length=plan.context_length,
            parallel=plan.parallel,
            threads=plan.threads,
            spin=plan.spin,
            options={name: value for name, value in plan.options.items() if value is not None},
        )

    def keep(self, profile: Profile) -> None:
        self._registry.records.put_profile(profile)

    def stage(self) -> Stage | None:
        return self._background.run(self._stage())

    async def _stage(self) -> Stage | None:
        job = next((job for job in self._supervisor.jobs() if not job.ended), None)
        active = self._supervisor.active()
        return stage_of(job_view(job), leases=active.leases if active else None) if job else None

    def chat(self, messages: Messages, parameters: Mapping[str, Any]) -> Answer:
        arrived: Arrived = SimpleQueue()
        work = self._background.start(self._answer(messages, parameters, arrived))

        def close() -> None:
            work.cancel()

        return Answer(_chunks(arrived), close)

    async def _answer(self, messages: Messages, parameters: Mapping[str, Any], arrived: Arrived) -> None:
        try:
            await self._ask(messages, parameters, arrived)
            arrived.put(None)
        except ValidationError as error:
            arrived.put(invalid_body(error.errors()))
        except BaseException as error:  # a cancellation too: the main thread must not wait for ever
            arrived.put(error)
            raise

    async def _ask(self, messages: Messages, parameters: Mapping[str, Any], arrived: Arrived) -> None:
        task = next(task for task in self._plugins.tasks() if task.path == PATH and task.claims is None)
        body = task.request.model_validate({"messages": messages, "stream": True, **parameters})
        async with self._worker(task.name) as worker:
            response = await task.handle(body, worker)
            async with contextlib.aclosing(response):
                if response.status != 200:
                    raise error_of(await response.read(), status=response.status, codes=worker.error_codes)
                stream = EventStream(error_codes=worker.error_codes, wants_usage=True)
                async for data in response:
                    arrived.put(stream.take(data))
                    if stream.error or stream.finished:
                        break
                stream.end()
                if stream.error:
                    raise stream.error
                self._count(stream.usage)

    def _count(self, usage: Usage) -> None:
        active = self._supervisor.active()
        if active is not None:
            self._registry.records.count_request(
                active.plan.model_id,
                prompt_tokens=usage.prompt_tokens or 0,
                completion_tokens=usage.completion_tokens or 0,
            )

    @contextlib.asynccontextmanager
    async def _worker(self, task: str) -> AsyncIterator[WorkerClient]:
        """Hold the worker; one that crashed before is waited for, one that crashed too often is loaded once more.

        :raises UMLError: it crashed in the block; what happened, with its last words
        """
        plan = await self._plan()
        request = LoadRequest(model=plan.model_id)
        async with contextlib.AsyncExitStack() as stack:
            try:
                lease = await stack.enter_async_context(self._supervisor.lease(request, task))
            except ModelFailedError:
                await self._load_again()
                lease = await stack.enter_async_context(self._supervisor.lease(request, task))
            try:
                yield lease.worker
            except WorkerCrashedError as error:
                ended = await self._supervisor.crash_of(lease.generation)
                if ended is None:
                    raise
                diagnosis = await diagnose(self._plugins, plan, ended, elapsed_s=0.0)
                raise to_error(diagnosis, plan=plan, exit=ended) from error

    async def _plan(self) -> Plan:
        """What is loaded; what was loaded before and has died is loaded again."""
        active = self._supervisor.active()
        return active.plan if active else await self._load_again()

    async def _load_again(self) -> Plan:
        if self._request is None:
            raise UnavailableError("no model is loaded; name one with `-m`")
        plan = (await self._supervisor.load(self._request, allow_path=True)).plan
        assert plan is not None
        return plan


def _chunks(arrived: Arrived) -> Iterator[Mapping[str, Any]]:
    frames = Frames()
    while not frames.done and (data := arrived.get()) is not None:
        if isinstance(data, BaseException):
            raise data
        yield from frames.feed(data)
    frames.end()


@contextlib.contextmanager
def open_local(settings: Settings) -> Iterator[LocalSession]:
    """A session of this process alone; what it started has ended when the block is left, however it is left.

    :raises GatewayRunningError: another process holds the data folder
    """
    with hold(settings.run_folder):
        plugins = plugins_here(settings)
        storage = storage_of(settings, leisure_s=LEISURE_S)
        registry = registry_of(settings, plugins, storage=storage)
        supervisor = supervisor_of(settings, plugins, registry, storage=storage)
        background = Background()
        storage.start()
        try:
            background.run(supervisor.__aenter__())
            yield LocalSession(plugins, registry, supervisor, background, settings=settings)
        finally:
            with impatient():
                background.run(supervisor.__aexit__(None, None, None))
                background.close()
                storage.close(leaving=True)
