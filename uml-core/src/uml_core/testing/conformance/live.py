"""A real supervisor with a real worker, used from tests that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from attrs import frozen

from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.supervisor import Supervisor
from uml_core.supervisor.client import WorkerClient
from uml_core.testing.conformance.answer import Answer
from uml_core.testing.conformance.subject import with_plugin
from uml_core.testing.conformance.witness import Witness
from uml_core.types import LoadRequest

T = TypeVar("T")
TASKS = {
    "/v1/embeddings": "feature-extraction",
    "/v1/rerank": "text-ranking",
    "/v1/classify": "text-classification",
}
"""The task that answers on a path; without one it is whatever the model is for."""

STEP_S = 60.0
"""Longest time for anything but the load, which has its own limit."""


def supervisor_of(plugin: Any, settings: Settings, witness: Witness) -> Supervisor:
    """Build what the gateway builds, with one plugin and a witness."""
    plugins = with_plugin(plugin, witness=witness)
    registry = Registry(plugins.stores(), plugins.formats(), settings)
    return Supervisor(plugins, Planner(plugins, registry, settings), settings)


@frozen
class Live:
    """A supervisor on an event loop in a thread of its own, which outlives the worker: Linux ties the two."""

    supervisor: Supervisor
    settings: Settings
    request: LoadRequest
    witness: Witness
    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread

    @classmethod
    def start(cls, plugin: Any, sample: Path, settings: Settings, request: LoadRequest) -> Self:
        """Start a supervisor; nothing is loaded yet."""
        loop, witness = asyncio.new_event_loop(), Witness(sample)
        thread = threading.Thread(target=_run, args=(loop,), name="conformance", daemon=True)
        thread.start()
        live = cls(supervisor_of(plugin, settings, witness), settings, request, witness, loop, thread)
        live.do(live.supervisor.__aenter__())
        return live

    def stop(self) -> None:
        """Stop worker, supervisor and loop."""
        try:
            self.do(self.supervisor.__aexit__())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STEP_S)

    def do(self, work: Coroutine[Any, Any, T], *, limit_s: float = STEP_S) -> T:
        """Run *work* on the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    def load(self) -> None:
        """Load the sample.

        :raises ModelLoadError: with the worker's last lines
        """
        limit_s = self.settings.supervisor.load_timeout_s + STEP_S
        self.do(self.supervisor.load(self.request), limit_s=limit_s)

    def post(self, path: str, body: Any) -> Answer:
        """Ask the worker, through a lease, and read the whole answer."""
        return self.do(self._post(path, body))

    def post_together(self, path: str, *bodies: Any) -> list[Answer]:
        """Ask several things at once."""

        async def ask() -> list[Answer]:
            return list(await asyncio.gather(*(self._post(path, body) for body in bodies)))

        return self.do(ask())

    def post_and_leave(self, path: str, body: Any) -> None:
        """Begin to read a stream, and close it after the first bytes."""

        async def leave() -> None:
            async with self.supervisor.lease(self.request, self._task(path)) as lease:
                response = await lease.worker.post(path, body)
                await anext(aiter(response))
                await response.aclose()

        self.do(leave())

    def get_as(self, token: str, path: str) -> int:
        """The status that the worker answers *path* with to somebody who has *token*."""
        return self.do(self._ask_as(token, path, None)).status

    def post_as(self, token: str, path: str, body: Any) -> int:
        """As :meth:`get_as`, for a task."""
        return self.do(self._ask_as(token, path, body)).status

    def get(self, path: str) -> Answer:
        """What the worker answers to *path*."""
        return self.do(self._ask_as(self.witness.launches[-1].token, path, None))

    async def _post(self, path: str, body: Any) -> Answer:
        async with self.supervisor.lease(self.request, self._task(path)) as lease:
            return await Answer.read(await lease.worker.post(path, body), lease.worker.error_codes)

    def _task(self, path: str) -> str:
        active = self.supervisor.active()
        return TASKS.get(path) or (active.plan.tasks[0] if active else "text-generation")

    async def _ask_as(self, token: str, path: str, body: Any) -> Answer:
        launch = self.witness.launches[-1]
        client = WorkerClient(
            launch.host, launch.port, token, model_id="", generation=0, error_codes={}, silence_s=STEP_S
        )
        return await Answer.read(await (client.get(path) if body is None else client.post(path, body)), {})


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
