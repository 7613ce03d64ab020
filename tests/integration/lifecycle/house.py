"""A supervisor with everything around it, and requests to it."""

import asyncio
import contextlib
import itertools
import json
import os

from uml_core import plugins
from uml_core.errors import UMLError, WorkerCrashedError
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.storage import NoStorage, Storage
from uml_core.supervisor import Supervisor
from uml_core.supervisor.messages import Ticket
from uml_core.tasks import plugin as tasks
from uml_core.testing import FakeBackend, FakeStore, write_fake_model
from uml_core.types import LoadRequest

TASK = "text-generation"
CHAT = "/v1/chat/completions"
ATTEMPTS = 4
SETTLED_S = 20.0
"""Nothing here may take longer; what does hangs."""


class Steps:
    """What the supervisor calls at each step of a switch; calls the hooks of the tests one after the other."""

    def __init__(self):
        self.seen = []
        self.hooks = []

    async def __call__(self, step):
        self.seen.append(step)
        for hook in self.hooks:
            await hook(step)


class House:
    """A supervisor with ports of its own, and what it was made of."""

    numbers = itertools.count()

    def __init__(self, folder, *, keeps=False, **supervisor):
        process = os.environ.get("PYTEST_XDIST_WORKER", f"gw{os.getpid()}").removeprefix("gw")
        first = 20_000 + int(process) % 10 * 1000 + next(self.numbers) * 8 % 1000  # no other process's, as a rule
        self.models = folder / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(
            data_dir=folder / "data", supervisor={"ports": f"{first}-{first + 7}", "drain_timeout_s": 1.0, **supervisor}
        )
        self.backend = FakeBackend(stop_grace_s=0.5)
        self.plugins = plugins.load(
            builtins={"fake": self.backend, "fakes": FakeStore(self.models), "tasks": tasks}, entry_points=()
        )
        registry = Registry(self.plugins.stores(), self.plugins.formats(), self.settings)
        planner = Planner(self.plugins, registry, self.settings)
        self.steps = Steps()
        self.storage = Storage(self.settings.data_dir) if keeps else NoStorage()
        self.supervisor = Supervisor(self.plugins, planner, self.settings, storage=self.storage, at=self.steps)
        self.requests = []

    def model(self, name, **script):
        write_fake_model(self.models / f"{name}.fake", **script)
        return name

    def load(self, name, **options):
        return self.supervisor.load(LoadRequest(model=name, options=options))

    def request(self, name, **how):
        """Ask something, in a task of its own."""
        self.requests.append(Request(self, name, **how))
        return self.requests[-1]

    async def ask(self, name, **how):
        """Ask something and wait for its end: the text, or the error is raised."""
        request = self.request(name, **how)
        await asyncio.wait_for(asyncio.shield(request.task), SETTLED_S)
        return request.result()

    def states(self, generation=None):
        return [str(s.state) for s in self.backend.statuses if generation in (None, s.generation)]

    def kill(self, number):
        """Send a signal to the engine, if there is one: the pid, or None."""
        active = self.supervisor.active()
        if active is None or active.pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(active.pid, number)
        return active.pid


class Request:
    """One request, which ends exactly once: with ``answer``, with ``error``, or because it ``left``."""

    numbers = itertools.count(1)

    def __init__(self, house, model, *, stream=False, wait_s=10.0, prompt="hello"):
        self.house, self.model, self.stream, self.wait_s = house, model, stream, wait_s
        self.nonce, self.prompt = f"n{next(self.numbers)}", prompt
        self.ends, self.got = [], b""
        self.leaving = False
        self.revoked = None
        self.task = asyncio.ensure_future(self._run())
        self.task.add_done_callback(self._note_unbegun)

    def __repr__(self):
        return f"<request {self.nonce} for {self.model}: {self.ends or 'under way'}>"

    def leave(self):
        """The client goes away."""
        self.leaving = True
        self.task.cancel()

    def result(self):
        (end,) = self.ends
        if isinstance(end[1], BaseException):
            raise end[1]
        return end[1]

    def _revoke(self, error):
        self.revoked = error
        self.task.cancel()

    def _note_unbegun(self, task):
        if task.cancelled():  # before its first step
            self.ends.append(("left", None))

    async def _run(self):
        try:
            self.ends.append(("answer", await self._answer()))
        except UMLError as error:
            self.ends.append(("error", error))
        except asyncio.CancelledError:
            self.ends.append(("left", None) if self.leaving else ("error", self.revoked))

    async def _answer(self):
        """Ask; and again when the worker dies before its first word, as the gateway does."""
        for attempt in itertools.count(1):
            ticket = Ticket(id=self.nonce, fingerprint=self.prompt.encode(), attempt=attempt, revoke=self._revoke)
            asked, lease = LoadRequest(model=self.model), None
            try:
                async with self.house.supervisor.lease(asked, TASK, wait_s=self.wait_s, ticket=ticket) as lease:
                    return await self._read(lease.worker)
            except WorkerCrashedError:
                if lease is None or self.got or attempt == ATTEMPTS:
                    raise
                if await self.house.supervisor.crash_of(lease.generation) is None:
                    raise
        raise AssertionError

    async def _read(self, worker):
        assert worker.model_id == self.model, "another model answers"
        message = {"role": "user", "content": f"{self.prompt} nonce={self.nonce}"}
        response = await worker.post(CHAT, {"model": self.model, "messages": [message], "stream": self.stream})
        try:
            async for part in response:
                self.got += part
        finally:
            await response.aclose()
        if response.status != 200:
            raise UMLError(f"the worker answered {response.status}: {self.got!r}")
        return self._text(self.got.decode())

    def _text(self, data):
        if not self.stream:
            text = json.loads(data)["choices"][0]["message"]["content"]
        else:
            assert data.endswith("data: [DONE]\n\n"), f"the stream was cut, and nobody said so: {data[-200:]!r}"
            frames = [json.loads(frame.removeprefix("data: ")) for frame in data.split("\n\n")[:-2]]
            text = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames)
        assert text.split()[0] == self.nonce, f"somebody else's answer: {text!r} to {self.nonce}"
        return text
