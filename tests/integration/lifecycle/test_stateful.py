"""Random loads, switches, crashes, hangs, cancels, disconnects and clock jumps over the real supervisor.

A real worker process stands behind each load; only its engine is a script. What must hold always is checked after each
step, and what must be left at the end, nothing, at the end. The event loop runs only within a rule, so that a step is a
step: between two of them only processes go on.
"""

import asyncio
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from datetime import datetime, timedelta

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from uml_core.errors import ConflictError
from uml_core.supervisor import health, recovery
from uml_core.types import LoadRequest

MODELS = {
    "quick": {"tokens": 5},
    "other": {"tokens": 3, "accepts": "port"},
    "slow": {"load_s": 0.3, "tokens": 20, "token_s": 0.02},
    "stubborn": {"ignore_term": True, "grandchild": "closed"},
    "exits": {"load_exit": 7, "load_fault_after_s": 0.05},
    "dies": {"load_signal": int(signal.SIGSEGV), "load_fault_after_s": 0.05},
    "senseless": {"probe_fault": "nan", "probe_fault_count": 100},
    "mute": {"probe_fault": "hang", "probe_fault_count": 100},
    "fragile": {"stream_fault": "crash", "stream_fault_after": 2, "stream_signal": int(signal.SIGSEGV)},
    "sleepy": {"busy_hang": "deadlock", "busy_hang_after": 2},
}
"""Those that can be loaded, some of which fail at every request; and those that fail to load, each in its way."""

LIMITS = {
    "drain_timeout_s": 0.5,
    "load_timeout_s": 3.0,
    "probe_timeout_s": 1.0,
    "request_timeout_s": 3.0,
    "hang_s": 0.6,
    "canary_s": 0.4,
    "canary_timeout_s": 0.5,
    "fair_wait_s": 0.2,
    "queue_limit": 6,
    "max_requests": 3,
}
REACHED = {
    *("job committed", "job rolled_back", "job failed", "job cancelled"),
    *("request answer", "request error", "request left"),
    *(
        "health",
        "ready to busy",
        "busy to ready",
        "draining to stopping",
        "draining to verifying",
        "ready to verifying",
    ),
    *(
        "busy to verifying",
        "loading to stopping",
        "loading to verifying",
        "probing to stopping",
        "probing to verifying",
    ),
}
"""What has to come about in many random lives: else they prove little."""

names = st.sampled_from(sorted(MODELS))
pauses_ms = st.sampled_from([0, 0, 0, 1, 5, 20, 60, 150, 400])
numbers = st.integers(0, 5)


class Lifecycle(RuleBasedStateMachine):
    """One house; the subclass that a test makes knows the kit of this folder, a folder to live in, and the clock."""

    kit = clock = seen = None

    @staticmethod
    def new_folder():
        raise NotImplementedError

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self.open())

    async def open(self):
        self.house = self.kit.House(self.new_folder(), keeps=True, **LIMITS)
        for name, script in MODELS.items():
            self.house.model(name, **script)
        self.observer = self.kit.Observer(self.house)
        await self.observer.begin()
        await self.house.supervisor.__aenter__()
        self.supervisor = self.house.supervisor

    def run(self, work, *, pause_ms=0):
        """Let the loop do *work*, and whatever else is due meanwhile."""

        async def within_limits():
            result = await asyncio.wait_for(work, self.kit.SETTLED_S)
            await asyncio.sleep(pause_ms / 1000)
            return result

        return self.loop.run_until_complete(within_limits())

    @initialize(name=names)
    def begin_with_something(self, name):
        self.run(self.supervisor.submit(LoadRequest(model=name)), pause_ms=250)

    @rule(name=names, pause_ms=pauses_ms, tokens=st.sampled_from([None, None, 4]))
    def load(self, name, pause_ms, tokens):
        options = {} if tokens is None else {"tokens": tokens}
        status = self.run(self.supervisor.submit(LoadRequest(model=name, options=options)), pause_ms=pause_ms)
        assert status.request.model == name

    @rule(pause_ms=pauses_ms)
    def unload(self, pause_ms):
        self.run(self.supervisor.submit_unload(), pause_ms=pause_ms)

    @rule(number=numbers, pause_ms=pauses_ms)
    def cancel(self, number, pause_ms):
        ended = self.run(self.cancel_one(number), pause_ms=pause_ms)
        assert ended is None or ended.ended

    async def cancel_one(self, number):
        jobs = [job for job in self.supervisor.jobs() if not job.ended]
        if not jobs:
            return None
        try:
            return await self.supervisor.cancel(jobs[number % len(jobs)].id)
        except ConflictError:
            return None

    @rule(number=st.sampled_from([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM]), pause_ms=pauses_ms)
    def crash(self, number, pause_ms):
        self.run(self.send(number), pause_ms=pause_ms)

    @rule(pause_ms=pauses_ms)
    def hang(self, pause_ms):
        self.run(self.send(signal.SIGSTOP), pause_ms=pause_ms)

    async def send(self, number):
        pid = self.house.kill(number)
        note(f"signal {number} to {pid}")

    @rule(name=names | st.none(), stream=st.booleans(), wait_s=st.sampled_from([4.0, 4.0, 0.1]), pause_ms=pauses_ms)
    def ask(self, name, stream, wait_s, pause_ms):
        self.run(self.begin_to_ask(name, stream=stream, wait_s=wait_s), pause_ms=pause_ms)

    @rule(count=st.integers(1, 3), stream=st.booleans(), pause_ms=pauses_ms)
    def ask_what_is_there(self, count, stream, pause_ms):
        for _ in range(count):
            self.run(self.begin_to_ask(None, stream=stream, wait_s=4.0))
        self.run(asyncio.sleep(0), pause_ms=pause_ms)

    async def begin_to_ask(self, name, **how):
        active = self.supervisor.active()
        self.house.request(name or (active.plan.model_id if active else "quick"), **how)

    @rule(number=numbers, pause_ms=pauses_ms)
    def disconnect(self, number, pause_ms):
        if under_way := self.under_way():
            under_way[number % len(under_way)].leave()
        self.run(asyncio.sleep(0), pause_ms=pause_ms)

    @rule(number=numbers)
    def wait_for_an_answer(self, number):
        if under_way := self.under_way():
            self.run(asyncio.wait([under_way[number % len(under_way)].task]))

    @rule()
    def wait_for_the_jobs(self):
        self.run(self.until_jobs_have_ended())

    async def until_jobs_have_ended(self):
        for job in [job for job in self.supervisor.jobs() if not job.ended]:
            await self.supervisor.wait(job.id)

    @rule(seconds=st.sampled_from([-86_400, -3600, 1, 90, 3600, 86_400]))
    def the_clock_jumps(self, seconds):
        self.clock.jump(seconds)

    @rule(pause_ms=st.integers(1, 400))
    def time_passes(self, pause_ms):
        self.run(asyncio.sleep(0), pause_ms=pause_ms)

    @invariant()
    def what_always_holds(self):
        self.run(self.look())

    async def look(self):
        self.observer.look()
        active = self.supervisor.active()
        assert active is None or active.leases <= len(self.under_way())
        assert len(self.supervisor.waiting()) <= len(self.under_way())
        assert len([job for job in self.supervisor.jobs() if not job.ended and job.position == 0]) <= 1
        assert self.supervisor.accepting, self.supervisor.why_not

    def under_way(self):
        return [request for request in self.house.requests if not request.task.done()]

    def teardown(self):
        """What was begun ends; then nothing is left."""
        try:
            self.loop.run_until_complete(self.close())
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    async def close(self):
        note(str(self.house.steps.seen))
        try:
            await self.observer.check_settled()
        finally:
            await asyncio.wait_for(self.supervisor.__aexit__(), self.kit.SETTLED_S)
        await self.observer.check_closed()
        for job in self.supervisor.jobs():
            assert job.ended, job
            assert job.release is None or job.release.proven, job.release
        self.count()

    def count(self):
        """What happened in this life, so that a proof can tell that enough did."""
        self.seen.update(f"{status.previous} to {status.state}" for status in self.house.backend.statuses)
        self.seen.update(f"job {states[-1]}" for states in self.observer.states.values())
        self.seen.update(f"request {request.ends[0][0]}" for request in self.house.requests)
        self.seen.update(event.kind for event in self.observer.events if event.kind == "health")


class Clock:
    """The wall clock of the supervisor, which somebody sets."""

    def __init__(self, monkeypatch):
        self.ahead_s = 0.0
        real_s, clock = time.time, self

        class Shifted(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + timedelta(seconds=clock.ahead_s)

        monkeypatch.setattr(time, "time", lambda: real_s() + clock.ahead_s)
        for name, module in list(sys.modules.items()):
            if name.startswith("uml_core.supervisor") and getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", Shifted)

    def jump(self, seconds):
        self.ahead_s += seconds


@pytest.fixture
def machine(lifecycle, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(recovery, "FIRST_DELAY_S", 0.05)
    monkeypatch.setattr(recovery, "LONGEST_DELAY_S", 0.2)
    monkeypatch.setattr(health, "ASK_S", 0.3)
    logging.disable()  # of many lives it would be too much

    class Bound(Lifecycle):
        kit, clock, seen = lifecycle, Clock(monkeypatch), Counter()

        @staticmethod
        def new_folder():
            return tmp_path_factory.mktemp("house")

    yield Bound
    logging.disable(logging.NOTSET)


def profile(examples, steps, *, derandomize):
    return hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=derandomize,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # to shrink what depends on time takes for ever, and finds something else
        print_blob=True,
    )


def test_some_random_lives(machine):
    run_state_machine_as_test(machine, settings=profile(6, 20, derandomize=True))


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_many_random_lives(machine):
    seed = int(os.environ.get("UML_TEST_SEED") or random.randrange(2**32))
    print(f"UML_TEST_SEED={seed} repeats this")
    examples = int(os.environ.get("UML_TEST_EXAMPLES") or 200)
    hypothesis.seed(seed)(machine)
    run_state_machine_as_test(machine, settings=profile(examples, 50, derandomize=False))
    print("\n".join(f"{count:6} {what}" for what, count in machine.seen.most_common()))
    assert not {what for what in REACHED if not machine.seen[what]}
