"""A fault at every step of a switch: the model before is back, the new one is there, or both causes are told."""

import asyncio
import errno
import os
import random
import signal
import time

import pytest

from uml_core.errors import UMLError
from uml_core.supervisor import recovery, switch
from uml_core.supervisor.steps import STEPS
from uml_core.types import LoadRequest, SwitchState, WorkerState

SEED = 20261122
FAULTS = ("error", "disk", "kill", "cancel", "timeout")
OLD = {"tokens": 5}
"""Options of the model before, which have to be the same when it is back."""

CHECK = [step for step in STEPS if step.startswith("check.")]
EVICT = [step for step in STEPS if step.startswith("evict.")]
END = [step for step in STEPS if step.startswith("end.")]
START = [step for step in STEPS if step.startswith("start.")]
SCENES = {
    "switch": [(step, None) for step in (*CHECK, *EVICT, *END, *START, "commit")],
    "first load": [(step, None) for step in (*CHECK, *START, "commit")],
    "unload": [(step, None) for step in (*EVICT, *END)],
    "way back": [
        ("rollback", None),
        *((step, "rollback") for step in START),
        *((step, "start.launched") for step in END),
    ],
    "restart": [(step, None) for step in (*END, *START, "commit")],
}
"""What is going on, and the steps of it: each with the step after whose first time it counts."""

CASES = [(scene, step, after, fault) for scene, steps in SCENES.items() for step, after in steps for fault in FAULTS]
TENTH = random.Random(SEED).sample(CASES, len(CASES) // 10)


class Fault:
    """Strikes once, at one step."""

    def __init__(self, house, step, after, kind):
        self.house, self.step, self.after, self.kind = house, step, after, kind
        self.armed = self.struck = False
        self.cancelled = None

    async def __call__(self, step):
        if not self.armed:
            return
        if step == self.step and self.after is None:
            self.armed, self.struck = False, True
            await getattr(self, self.kind)()
        elif step == self.after:
            self.after = None

    async def error(self):
        raise RuntimeError("a scripted fault")

    async def disk(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def timeout(self):
        raise TimeoutError

    async def kill(self):
        self.house.kill(signal.SIGKILL)

    async def cancel(self):
        """Cancel the running job; it is told of it while it stands here."""
        self.cancelled = asyncio.ensure_future(self.house.supervisor.cancel(self.house.supervisor.jobs()[0].id))
        await asyncio.sleep(0.05)


@pytest.fixture
def quick_restarts(monkeypatch):
    monkeypatch.setattr(recovery, "FIRST_DELAY_S", 0.02)


@pytest.fixture
def strike(make_house, lifecycle, quick_restarts):
    async def strike_once(scene, step, after, kind):
        house = make_house()
        house.model("a", load_s=0.02)
        house.model(
            "b",
            **(
                {"load_exit": 7, "crash_count_file": str(house.models / "n"), "crash_first": 1}
                if scene == "way back"
                else {}
            ),
        )
        fault = Fault(house, step, after, kind)
        async with lifecycle.watched(house) as observer:
            house.steps.hooks.append(fault)
            if scene != "first load":
                await house.load("a", **OLD)
            fault.armed = True
            ended = await asyncio.wait_for(begin(house, scene), lifecycle.SETTLED_S)
            await observer.check_settled()
            assert fault.struck, f"{step} was never reached: {house.steps.seen}"
            check_end(ended, house.supervisor.active(), scene)
            if kind == "cancel":  # on the way back there is nothing to cancel any more
                back = {SwitchState.ROLLED_BACK, SwitchState.FAILED}
                assert ended.state in (back if "rollback" in (step, after) else {SwitchState.CANCELLED})
            if fault.cancelled:
                await asyncio.wait([fault.cancelled], timeout=lifecycle.SETTLED_S)
                assert fault.cancelled.done()
                assert isinstance(fault.cancelled.exception(), UMLError | None)
            await check_usable(house, scene)

    return strike_once


async def begin(house, scene):
    """Begin what is to be struck, and wait for its end."""
    supervisor = house.supervisor
    if scene == "unload":
        job = await supervisor.submit_unload()
    elif scene == "restart":
        house.kill(signal.SIGKILL)
        job = await restart_of(supervisor)
    else:
        job = await supervisor.submit(LoadRequest(model="b"))
    return await supervisor.wait(job.id)


async def restart_of(supervisor):
    while not (found := [job for job in supervisor.jobs() if job.kind == "restart"]):
        await asyncio.sleep(0.01)
    return found[-1]


def check_end(job, active, scene):
    """One of the ends that are allowed, with its reasons."""
    serving = active.plan.model_id if active else None
    assert active is None or active.state is WorkerState.READY
    if job.state is SwitchState.COMMITTED:
        assert job.cause is None
        assert serving == {"unload": None, "restart": "a"}.get(scene, "b")
        return
    assert job.cause is not None
    assert job.state in {SwitchState.ROLLED_BACK, SwitchState.FAILED, SwitchState.CANCELLED}
    assert job.rolled_back or job.state is not SwitchState.ROLLED_BACK
    if serving == "a":
        assert {key: active.plan.options[key] for key in OLD} == OLD, "it is back with its exact options"
    elif scene == "switch" or scene == "way back":
        assert serving is None
        assert job.rollback_cause is not None, "both causes are told"
    if job.rolled_back:
        assert serving == "a"


async def check_usable(house, scene):
    """Whatever it was, it is over: requests for both models are answered."""
    await house.ask("a")
    await house.load("b")
    await house.ask("b")
    assert house.supervisor.active().plan.model_id == "b"


@pytest.mark.parametrize(("scene", "step", "after", "fault"), TENTH)
async def test_a_tenth_of_the_faults(strike, scene, step, after, fault):
    await strike(scene, step, after, fault)


@pytest.mark.proof
@pytest.mark.parametrize(("scene", "step", "after", "fault"), CASES)
async def test_every_fault_at_every_step(strike, scene, step, after, fault):
    await strike(scene, step, after, fault)


async def test_a_worker_that_dies_in_the_last_moment_of_a_switch_never_counts_as_ready(house, monkeypatch):
    def die_while_it_is_measured(pids):
        os.kill(pids[0], signal.SIGKILL)
        time.sleep(0.3)  # in a thread: the owner hears of the end meanwhile
        return 1

    await house.load(house.model("a"))
    with monkeypatch.context() as patch:
        patch.setattr(switch, "quick_anon_bytes", die_while_it_is_measured)
        job = await house.supervisor.submit(LoadRequest(model=house.model("b")))
        ended = await house.supervisor.wait(job.id)
    assert ended.state is not SwitchState.COMMITTED
    await house.ask("a")


def test_there_are_enough_of_them():
    assert len(CASES) >= 60
    assert {step for _, step, _, _ in CASES} == set(STEPS)
