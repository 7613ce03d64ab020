"""Somebody who watches a supervisor from outside, and knows what must always hold."""

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import psutil

from uml_core.errors import UMLError
from uml_core.storage import NoStorage
from uml_core.supervisor import lock
from uml_core.types import SwitchState, WorkerState

from .house import SETTLED_S

FIRST = None
OPEN = {WorkerState.READY, WorkerState.BUSY}
ENDS = {WorkerState.STOPPING, WorkerState.VERIFYING, WorkerState.GONE, WorkerState.QUARANTINED}
WORKER_TRANSITIONS = {
    FIRST: {WorkerState.LAUNCHING},
    WorkerState.LAUNCHING: {WorkerState.LOADING, *ENDS},
    WorkerState.LOADING: {WorkerState.PROBING, WorkerState.STOPPING, WorkerState.VERIFYING},
    WorkerState.PROBING: {WorkerState.READY, WorkerState.STOPPING, WorkerState.VERIFYING},
    WorkerState.READY: {
        WorkerState.BUSY,
        WorkerState.DRAINING,
        WorkerState.STOPPING,  # nobody was let in yet: the switch failed at its last step
        WorkerState.VERIFYING,
    },
    WorkerState.BUSY: {WorkerState.READY, WorkerState.DRAINING, WorkerState.VERIFYING},
    WorkerState.DRAINING: {WorkerState.READY, WorkerState.BUSY, WorkerState.STOPPING, WorkerState.VERIFYING},
    WorkerState.STOPPING: {WorkerState.VERIFYING},
    WorkerState.VERIFYING: {WorkerState.GONE, WorkerState.QUARANTINED},
    WorkerState.QUARANTINED: {WorkerState.STOPPING, WorkerState.VERIFYING, WorkerState.GONE},
    WorkerState.GONE: set(),
}
BAD_ENDS = {SwitchState.ROLLING_BACK, SwitchState.FAILED, SwitchState.CANCELLED}
SWITCH_TRANSITIONS = {
    SwitchState.QUEUED: {SwitchState.CHECKING, SwitchState.CANCELLED},
    SwitchState.CHECKING: {SwitchState.EVICTING, SwitchState.STARTING, SwitchState.COMMITTED, *BAD_ENDS},
    SwitchState.EVICTING: {SwitchState.STARTING, SwitchState.COMMITTED, *BAD_ENDS},
    SwitchState.STARTING: {SwitchState.COMMITTED, *BAD_ENDS},
    SwitchState.ROLLING_BACK: {SwitchState.ROLLED_BACK, SwitchState.FAILED, SwitchState.CANCELLED},
    SwitchState.COMMITTED: set(),
    SwitchState.ROLLED_BACK: set(),
    SwitchState.FAILED: set(),
    SwitchState.CANCELLED: set(),
}


def processes(house):
    """Who lives of each launch of *house*: its launch ids with their pids, by the mark that no child can shed."""
    found, ours = {}, set(house.backend.launches)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            launch_id = process.environ().get("UML_LAUNCH_ID")
            if launch_id in ours:
                found.setdefault(launch_id, []).append(process.pid)
    return found


def listening(ports):
    """Which of *ports* somebody listens on."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listeners = {int(line.split()[1].rpartition(":")[2], 16) for line in lines if line.split()[3] == "0A"}
    return sorted(listeners & set(ports))


def lock_free(house):
    """Whether the kernel says that nobody holds the slot's lock."""
    return lock.is_free(house.settings.run_folder / "slot-0.lock")


def open_fds():
    """What this process has open, by number."""
    opened = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            opened[int(entry.name)] = str(entry.readlink())
    return opened


class Observer:
    """Records every event of a house, and checks after each step what must always hold."""

    def __init__(self, house):
        self.house = house
        self.fds = open_fds()
        self.ports = listening(house.settings.supervisor.port_range)
        self.events = []
        self.states = {}  # job id -> its states so far
        self.last_job = None
        self.seen = 0
        self.generation = None
        self.broken = []
        self._task = None

    async def begin(self):
        self.house.storage.start()
        self._task = asyncio.create_task(self._listen())
        self.house.steps.hooks.append(self._look_at_step)
        await asyncio.sleep(0)  # so that it listens from the first event on

    async def _look_at_step(self, step):
        """Look in the middle of a switch. What is raised there would be taken for a fault of the step."""
        try:
            self.look()
        except AssertionError as error:
            self.broken.append(f"at {step}: {error}")

    async def _listen(self):
        async with contextlib.aclosing(self.house.supervisor.events.subscribe(after=0)) as stream:
            async for event in stream:
                self.events.append(event)
                if event.kind == "job":
                    self.check_job(event.data)

    def check_job(self, job):
        state = SwitchState(job["state"])
        if job.get("reason") == "the gateway goes down":
            self.last_job = job["id"]
        states = self.states.setdefault(job["id"], [SwitchState.QUEUED])
        if state is not states[-1]:
            assert state in SWITCH_TRANSITIONS[states[-1]], f"{states[-1]} to {state}: {job}"
            states.append(state)

    def look(self):
        """Check what can be checked at any moment."""
        assert not self.broken
        self._check_statuses()
        if self._task and self._task.done():
            self._task.result()
        alive = processes(self.house)
        assert len(alive) <= 1, f"two workers live at once: {alive}"
        assert all(len(request.ends) <= 1 for request in self.house.requests), self.house.requests

    def _check_statuses(self):
        new = self.house.backend.statuses[self.seen :]
        self.seen += len(new)
        for status in new:
            legal = WORKER_TRANSITIONS[status.previous]
            assert status.state in legal, f"{status.previous} to {status.state} of generation {status.generation}"
            if status.previous is FIRST:
                assert self.generation is None or status.generation > self.generation, "generations rise"
                self.generation = status.generation
            assert status.generation == self.generation, "an old generation has nothing to say"

    async def check_settled(self):
        """Everything that was begun ends by itself, in one way; for when nobody wants anything new."""
        await asyncio.wait_for(self._wait_until_settled(), SETTLED_S)
        self.look()
        for request in self.house.requests:
            assert len(request.ends) == 1, request
            end, said = request.ends[0]
            assert end in {"answer", "left"} or isinstance(said, UMLError), request
        active = self.house.supervisor.active()
        assert active is None or (active.state, active.leases) == (WorkerState.READY, 0), active

    async def _wait_until_settled(self):
        if tasks := [request.task for request in self.house.requests if not request.task.done()]:
            await asyncio.gather(*tasks)
        while any(not job.ended for job in self.house.supervisor.jobs()) or self._in_between():
            await asyncio.sleep(0.01)

    def _in_between(self):
        active = self.house.supervisor.active()
        return active is not None and active.state is not WorkerState.READY

    async def check_closed(self):
        """Nothing is left of a supervisor that was closed: no process, port, lock, descriptor or folder."""
        if self._task:
            await asyncio.wait_for(self._task, SETTLED_S)
        self.look()
        assert processes(self.house) == {}, "processes are left"
        assert listening(self.house.settings.supervisor.port_range) == self.ports, "ports are left"
        assert lock_free(self.house), "the lock is left"
        assert list(self.house.settings.run_folder.glob("launch-*")) == []
        assert all(not SWITCH_TRANSITIONS[states[-1]] for states in self.states.values()), self.states
        self._check_history()
        await self._wait_for_descriptors()

    def _check_history(self):
        """The hook, the events and the database tell the same; what each request does is told by the hook alone."""
        told = [(e.data["generation"], e.data["state"]) for e in self.events if e.kind == "worker"]
        changes = [status for status in self.house.backend.statuses if not {status.state, status.previous} <= OPEN]
        assert told == [(status.generation, str(status.state)) for status in changes]
        if isinstance(self.house.storage, NoStorage):
            return
        self.house.storage.close()
        with contextlib.closing(sqlite3.connect(self.house.settings.data_dir / "uml.db")) as database:
            read = "select generation, to_state from transitions where machine = 'worker' order by id"
            assert database.execute(read).fetchall() == told
            read = "select job_id, to_state from transitions where machine = 'switch' order by id"
            kept = {}
            for job_id, state in database.execute(read):
                kept.setdefault(job_id, [SwitchState.QUEUED]).append(state)
            assert kept == self.states
            rows = dict(database.execute("select id, state from loads").fetchall())
        idle = [SwitchState.QUEUED, SwitchState.CHECKING, SwitchState.COMMITTED]  # what was wanted was there already
        ends = {job_id: states[-1] for job_id, states in self.states.items() if states != idle}
        ends.pop(self.last_job, None)  # the last end is no wish of anybody's, so that the next start can restore
        assert rows == ends

    async def _wait_for_descriptors(self):
        deadline = time.monotonic() + 2.0
        while left := {number: what for number, what in open_fds().items() if number not in self.fds}:
            assert time.monotonic() < deadline, f"descriptors are left: {left}"
            await asyncio.sleep(0.02)
