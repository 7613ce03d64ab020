"""Crashes, hangs and leaks of real processes, and what the supervisor makes of them."""

import asyncio
import itertools
import os
import signal
import time

import psutil
import pytest

from uml_core.errors import (
    ModelFailedError,
    RequestCrashedWorkerError,
    SlotQuarantinedError,
    UMLError,
    WorkerCrashedError,
    WorkerTimeoutError,
)
from uml_core.supervisor import lock
from uml_core.supervisor.messages import Ticket
from uml_core.types import LoadRequest, SwitchState, WorkerState

TASK = "text-generation"


def request(name, **options):
    return LoadRequest(model=name, options=options)


class Asker:
    """Asks as the gateway does: again after a crash, as long as it is let in."""

    def __init__(self, house):
        self.house = house

    async def __call__(self, name, text="nonce=abc", **body):
        attempt = 1
        while True:
            cut = asyncio.get_running_loop().create_future()
            ticket = Ticket(id=text, fingerprint=text.encode(), attempt=attempt, revoke=cut.set_result)
            lease = None
            try:
                async with self.house.supervisor.lease(
                    LoadRequest(model=name), TASK, wait_s=30, ticket=ticket
                ) as lease:
                    return await self._answer(lease, cut, text, body), attempt
            except WorkerCrashedError:
                if lease is None or not await self.house.supervisor.crash_of(lease.generation):
                    raise
                attempt += 1

    async def _answer(self, lease, cut, text, body):
        asked = {"messages": [{"role": "user", "content": text}], **body}

        async def read():
            return (await (await lease.worker.post("/v1/chat/completions", asked)).read()).decode()

        work = asyncio.ensure_future(read())
        await asyncio.wait([work, cut], return_when=asyncio.FIRST_COMPLETED)
        if cut.done():
            work.cancel()
            raise cut.result()
        cut.cancel()
        return work.result()


@pytest.fixture
def ask(house):
    return Asker(house)


def active(house):
    return house.supervisor.active()


async def ready(house, eventually, *, generation, limit_s=20):
    await eventually(
        lambda: active(house) and active(house).generation == generation and active(house).state == "ready", limit_s
    )


async def test_a_crash_is_noticed_at_once_and_the_model_comes_back(house, eventually):
    await house.supervisor.load(request(house.model("a", tokens=3)))
    plan, killed_s = active(house).plan, time.monotonic()
    os.kill(active(house).pid, signal.SIGKILL)
    await eventually(lambda: active(house) is None or active(house).state == "verifying", 0.25)
    assert time.monotonic() - killed_s < 0.3
    await ready(house, eventually, generation=2)
    assert active(house).plan is plan
    assert active(house).restarts == 1
    (restart,) = [job for job in house.supervisor.jobs() if job.kind == "restart"]
    restart = await house.supervisor.wait(restart.id)
    assert (restart.state, restart.switched, restart.reason) == (
        SwitchState.COMMITTED, True, "the worker ended by itself",
    )  # fmt: skip


async def test_requests_without_an_answer_are_asked_again_of_the_next_worker(house, ask, eventually):
    await house.supervisor.load(request(house.model("a", token_s=0.1, tokens=8)))
    running = [asyncio.create_task(ask("a", f"nonce={n}")) for n in "abcd"]
    await eventually(lambda: active(house).leases == 4)
    os.kill(active(house).pid, signal.SIGKILL)
    for name, (text, attempts) in zip("abcd", await asyncio.gather(*running), strict=True):
        assert f"{name} word1" in text, "each got its own answer"
        assert attempts == 2


async def test_a_request_whose_worker_is_killed_again_and_again_gives_up_after_three_replays(house, ask, eventually):
    await house.supervisor.load(request(house.model("a", stream_fault="crash", stream_fault_after=1)))
    with pytest.raises(WorkerCrashedError, match="died 4 times"):
        await ask("a")


async def test_only_the_request_that_crashes_alone_is_refused(house, ask, eventually):
    await house.supervisor.load(request(house.model("a", poison="hemlock", token_s=0.05, tokens=6)))
    both = await asyncio.gather(
        ask("a", "nonce=good"), ask("a", "nonce=fine"), ask("a", "hemlock"), return_exceptions=True
    )
    assert "good word1" in both[0][0]
    assert "fine word1" in both[1][0]
    assert isinstance(both[2], RequestCrashedWorkerError)
    await eventually(lambda: active(house) and active(house).state == "ready", 20)
    crashes = active(house).restarts
    with pytest.raises(RequestCrashedWorkerError):
        await ask("a", "hemlock")
    assert active(house).restarts == crashes, "it is not even tried any more"
    assert "abc word1" in (await ask("a"))[0]


async def test_a_kill_from_outside_is_never_blamed_on_a_request(house, ask, eventually):
    await house.supervisor.load(request(house.model("a", token_s=0.15, tokens=4)))
    for generation in (1, 2, 3):
        running = asyncio.create_task(ask("a", "the same"))
        await eventually(lambda: active(house) and active(house).leases == 1, 20)
        assert active(house).generation == generation
        os.kill(active(house).pid, signal.SIGKILL)
        assert (await running)[1] == 2


async def test_five_crashes_with_nothing_served_are_a_loop_and_a_load_ends_it(make_house, eventually, tmp_path):
    house = make_house()
    async with house.supervisor:
        counter = tmp_path / "starts"
        await house.supervisor.load(
            request(house.model("a", crash_idle_after_s=0.05, crash_count_file=str(counter), crash_first=5))
        )
        await eventually(lambda: active(house) is None and not any(not j.ended for j in house.supervisor.jobs()), 40)
        assert counter.stat().st_size == 5
        starts = [status.at for status in house.backend.statuses if status.state is WorkerState.LAUNCHING]
        gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(starts)]
        assert gaps == sorted(gaps), "each pause is longer than the one before"
        with pytest.raises(ModelFailedError) as caught:
            async with house.supervisor.lease(LoadRequest(model="a"), TASK):
                pytest.fail("it stays down")
        assert caught.value.permanent
        await house.supervisor.load(request("a"))
        assert active(house).state is WorkerState.READY


async def test_a_restart_that_can_not_succeed_is_not_tried_again(house, eventually, ask):
    await house.supervisor.load(request(house.model("a")))
    house.model("a", load_exit=4)
    os.kill(active(house).pid, signal.SIGKILL)
    with pytest.raises(UMLError) as caught:
        await ask("a")
    assert caught.value.permanent
    assert len(house.backend.launches) == 2


async def test_a_load_of_another_model_does_not_wait_for_a_restart_that_waits(house, eventually, tmp_path):
    script = {"crash_idle_after_s": 0.2, "crash_count_file": str(tmp_path / "starts"), "crash_first": 3}
    await house.supervisor.load(request(house.model("a", **script)))
    await eventually(lambda: any(job.kind == "restart" and job.state == "committed" for job in house.supervisor.jobs()))
    await eventually(lambda: any(j.progress and j.progress.stage == "waiting" for j in house.supervisor.jobs()), 20)
    before = time.monotonic()
    await house.supervisor.load(request(house.model("b")))
    assert active(house).plan.model_id == "b"
    assert time.monotonic() - before < 3
    await asyncio.sleep(2.5)
    assert active(house).plan.model_id == "b", "the restart is forgotten"


async def test_a_load_that_fails_during_a_pause_brings_back_what_was_to_be_restarted(house, eventually, tmp_path):
    script = {"crash_idle_after_s": 0.2, "crash_count_file": str(tmp_path / "starts"), "crash_first": 3}
    await house.supervisor.load(request(house.model("a", **script)))
    await eventually(lambda: any(j.progress and j.progress.stage == "waiting" for j in house.supervisor.jobs()), 20)
    with pytest.raises(UMLError) as caught:
        await house.supervisor.load(request(house.model("b", load_exit=9)))
    assert caught.value.job.rolled_back
    assert caught.value.job.previous == "a"


HANGS = ["deadlock", "gil", "stop"]


@pytest.mark.parametrize("how", HANGS)
async def test_a_worker_that_hangs_is_dumped_killed_and_replaced(make_house, eventually, how):
    house = make_house(supervisor={"hang_s": 1.0, "request_timeout_s": 6.0, "canary_s": 60.0})
    async with house.supervisor:
        name = house.model("a", busy_hang=how, busy_hang_after=1)
        await house.supervisor.load(request(name))
        with pytest.raises(WorkerTimeoutError):
            await Asker(house)(name)
        await ready(house, eventually, generation=2)
        ended = house.backend.cleanups[0][1]
        assert ended.hung
        assert ended.signal in {signal.SIGABRT, signal.SIGKILL}
        log = (house.settings.log_folder / "worker.log").read_text()
        if how == "deadlock":
            assert "Fatal Python error: Aborted" in log, "where it hangs is in the log"


async def test_a_worker_that_burns_time_without_progress_hangs_too(make_house, eventually):
    house = make_house(supervisor={"hang_s": 60.0, "request_timeout_s": 5.0, "canary_s": 0.8})
    async with house.supervisor:
        name = house.model("a", busy_hang="spin", busy_hang_after=1)
        await house.supervisor.load(request(name))
        with pytest.raises(WorkerTimeoutError):
            await Asker(house)(name)
        await ready(house, eventually, generation=2)


async def test_a_worker_whose_request_was_given_up_is_asked_for_a_sign_of_life_at_once(make_house, eventually):
    house = make_house(supervisor={"hang_s": 4.0, "request_timeout_s": 0.6, "canary_s": 300.0, "canary_timeout_s": 0.5})
    async with house.supervisor:
        name = house.model("a", busy_hang="stop", busy_hang_after=1)
        await house.supervisor.load(request(name))
        with pytest.raises(WorkerTimeoutError):
            await Asker(house)(name)
        await ready(house, eventually, generation=2)


async def test_a_slow_prefill_is_no_hang(make_house):
    house = make_house(supervisor={"hang_s": 0.8, "request_timeout_s": 30.0})
    async with house.supervisor:
        name = house.model("a", slow_prefill_s=3.0)
        await house.supervisor.load(request(name))
        text, attempts = await Asker(house)(name)
        assert attempts == 1
        assert "abc word1" in text


async def test_an_idle_worker_without_a_sign_of_life_is_replaced(make_house, eventually):
    house = make_house(supervisor={"canary_s": 0.4, "canary_timeout_s": 0.5})
    async with house.supervisor:
        await house.supervisor.load(request(house.model("a")))
        os.kill(active(house).pid, signal.SIGSTOP)
        await ready(house, eventually, generation=2)


async def test_a_slot_that_is_not_free_is_quarantined_until_it_is(house, eventually, monkeypatch):
    monkeypatch.setattr("uml_core.supervisor.release.VERIFY_S", 0.3)
    monkeypatch.setattr("uml_core.supervisor.aftermath.VERIFY_AGAIN_S", 0.2)
    await house.supervisor.load(request(house.model("a")))
    held = os.open(house.settings.run_folder / "slot-0.lock", os.O_RDWR)
    worker = house.supervisor._slot.worker
    survivor = await asyncio.create_subprocess_exec("sleep", "60", env={"UML_LAUNCH_ID": worker.launch.launch_id})
    try:
        with pytest.raises(SlotQuarantinedError) as caught:
            await house.supervisor.unload()
        assert caught.value.job.release.leftover_pids == (survivor.pid,)
        assert active(house).state is WorkerState.QUARANTINED
        assert "can't be ended" in house.supervisor.why_not
        with pytest.raises(SlotQuarantinedError):
            await house.supervisor.load(request(house.model("b")))
        with pytest.raises(SlotQuarantinedError):
            async with house.supervisor.lease(LoadRequest(model="b"), TASK):
                pytest.fail("nothing is loaded on top of it")
    finally:
        survivor.kill()
        await survivor.wait()
        os.close(held)
    await eventually(lambda: house.supervisor.accepting)
    assert active(house) is None
    assert lock.is_free(house.settings.run_folder / "slot-0.lock")
    await house.supervisor.load(request("b"))


async def test_a_release_says_what_was_held_and_that_it_is_free(house):
    await house.supervisor.load(request(house.model("a", allocate_bytes=200_000_000, run_file=True)))
    run_dir = house.supervisor._slot.worker.launch.run_dir
    pids = house.supervisor._slot.worker.process.tree()
    release = (await house.supervisor.unload()).release
    assert release.proven
    assert release.freed_bytes == release.expected_bytes
    assert 200_000_000 < release.freed_bytes < 300_000_000
    assert release.unattributed_bytes == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not run_dir.exists()


async def test_a_worker_that_leaks_is_told_of_and_replaced(make_house, eventually, monkeypatch):
    monkeypatch.setattr("uml_core.supervisor.watch.SAMPLE_S", 0.02)
    from uml_core.supervisor import watch
    from uml_core.supervisor.leak import LeakDetector

    monkeypatch.setattr(watch, "LeakDetector", lambda: LeakDetector(warm_up_requests=5, least_samples=20, window_s=4))
    monkeypatch.setattr(watch, "available_bytes", lambda: 50_000_000)
    house = make_house()
    async with house.supervisor:
        name = house.model("a", leak_bytes=200_000, tokens=1)
        await house.supervisor.load(request(name))
        deadline = time.monotonic() + 40
        while active(house) is None or active(house).generation == 1:
            text, _ = await Asker(house)(name)
            assert "abc" in text, "nobody's answer is lost over it"
            assert time.monotonic() < deadline
        assert [job.reason for job in house.supervisor.jobs() if job.kind == "recycle"] == ["it leaks memory"]
        await ready(house, eventually, generation=2)
