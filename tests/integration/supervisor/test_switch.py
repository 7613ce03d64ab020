"""The transaction: what a switch does when it can't be done, is cancelled, or is asked for twice."""

import asyncio
import contextlib

import pytest

from uml_core.errors import (
    ConflictError,
    InvalidOptionsError,
    ModelLoadError,
    NotFoundError,
    QueueFullError,
    RequestCancelledError,
    SupersededError,
    UMLError,
)
from uml_core.supervisor.messages import Ticket
from uml_core.types import LoadRequest, SwitchState

TASK = "text-generation"


def request(name, **options):
    return LoadRequest(model=name, options=options)


@pytest.fixture
def ask(house):
    async def ask_of(name, *, wait_s=20, ticket=None, **body):
        messages = [{"role": "user", "content": "nonce=abc"}]
        more = {"ticket": ticket} if ticket else {}
        async with house.supervisor.lease(LoadRequest(model=name), TASK, wait_s=wait_s, **more) as lease:
            answer = await lease.worker.post("/v1/chat/completions", {"model": "m", "messages": messages, **body})
            text = (await answer.read()).decode()
            assert answer.status == 200, text
            return text

    return ask_of


async def test_a_failed_switch_brings_the_old_model_back_with_its_exact_options(house, ask):
    old = await house.supervisor.load(request(house.model("old"), tokens=3))
    with pytest.raises(ModelLoadError) as caught:
        await house.supervisor.load(request(house.model("bad", load_exit=9)))
    job = caught.value.job
    assert (job.state, job.switched, job.rolled_back, job.previous) == (SwitchState.ROLLED_BACK, False, True, "old")
    assert job.release.proven
    assert house.supervisor.active().plan is old.plan
    assert house.states(3)[-1] == "ready", "generation 2 was the one that failed"
    assert '"completion_tokens": 3' in await ask("old")


async def test_requests_for_the_old_model_that_waited_are_served_after_the_rollback(house, ask, eventually):
    await house.supervisor.load(request(house.model("old")))
    switch = asyncio.create_task(
        house.supervisor.load(request(house.model("bad", load_s=0.4, load_exit=9, load_fault_after_s=0.4)))
    )
    await eventually(lambda: house.supervisor.active() and house.supervisor.active().plan.model_id == "bad")
    waiting = [asyncio.create_task(ask("old")) for _ in range(5)]
    await eventually(lambda: len(house.supervisor.waiting()) == 5)
    with pytest.raises(UMLError):
        await switch
    assert all("abc" in answer for answer in await asyncio.gather(*waiting))


async def test_requests_for_the_model_that_failed_get_its_cause_and_do_not_try_again_at_once(house, ask):
    await house.supervisor.load(request(house.model("old")))
    house.model("bad", load_exit=9)
    answers = await asyncio.gather(*(ask("bad") for _ in range(4)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ModelLoadError}
    launches = len(house.backend.launches)
    with pytest.raises(ModelLoadError):
        await ask("bad")
    assert len(house.backend.launches) == launches, "the model that works is not evicted for it again"
    assert "abc" in await ask("old")
    house.model("bad")
    await house.supervisor.load(request("bad"))
    assert "abc" in await ask("bad"), "who asks for it explicitly may"


async def test_a_load_with_other_options_that_fails_costs_the_model_that_is_back_no_request(house, ask, eventually):
    await house.supervisor.load(request(house.model("a")))
    load = house.supervisor.load(request("a", load_s=0.4, load_exit=9, load_fault_after_s=0.4))
    failing = asyncio.create_task(load)
    await eventually(lambda: house.supervisor.active() and house.supervisor.active().state == "loading")
    waiting = [asyncio.create_task(ask("a")) for _ in range(3)]
    with pytest.raises(ModelLoadError):
        await failing
    assert all("abc" in answer for answer in await asyncio.gather(*waiting, ask("a")))


async def test_options_that_a_model_can_not_be_loaded_with_are_nothing_to_requests(house, ask):
    await house.supervisor.load(request(house.model("old")))
    with pytest.raises(ModelLoadError):
        await house.supervisor.load(request(house.model("a"), load_exit=9))
    assert "abc" in await ask("a")


async def test_when_the_old_one_fails_too_both_causes_are_told(house, tmp_path):
    counter = tmp_path / "starts"
    await house.supervisor.load(request(house.model("old", crash_count_file=str(counter))))
    house.model("old", load_exit=8)
    with pytest.raises(ModelLoadError) as caught:
        await house.supervisor.load(request(house.model("bad", load_exit=9)))
    job = caught.value.job
    assert (job.state, job.rolled_back) == (SwitchState.FAILED, False)
    assert "code 9" in job.cause.message
    assert "code 8" in job.rollback_cause.message
    assert house.supervisor.active() is None


async def test_what_fails_in_the_check_touches_nothing(house):
    await house.supervisor.load(request(house.model("old")))
    pid = house.supervisor.active().pid
    with pytest.raises(InvalidOptionsError) as caught:
        await house.supervisor.load(request("old", nonesuch=1))
    assert (caught.value.job.state, caught.value.job.previous) == (SwitchState.FAILED, None)
    assert house.supervisor.active().pid == pid


@pytest.mark.parametrize("script", [
    {"load_s": 30}, {"hold_gil": "after", "hold_gil_s": 60}, {"hold_gil": "before", "hold_gil_s": 60},
    {"never_listens": True},
], ids=["loads", "holds the GIL", "holds it before it listens", "deaf"])  # fmt: skip
async def test_a_load_is_cancelled_at_any_stage_for_all_who_joined(house, ask, eventually, script):
    await house.supervisor.load(request(house.model("old")))
    joined = [
        asyncio.create_task(house.supervisor.load(request(house.model("slow", ready_timeout_s=60, **script))))
        for _ in range(3)
    ]
    waiting = asyncio.create_task(ask("slow"))
    await eventually(lambda: house.states()[-1] == "loading" and house.supervisor.active().plan.model_id == "slow")
    await eventually(lambda: len(house.supervisor.waiting()) == 1)
    before = asyncio.get_running_loop().time()
    job = await house.supervisor.cancel(house.supervisor.active().job_id)
    assert asyncio.get_running_loop().time() - before < 5
    assert (job.state, job.rolled_back) == (SwitchState.CANCELLED, True)
    for error in await asyncio.gather(*joined, waiting, return_exceptions=True):
        assert isinstance(error, RequestCancelledError)
    assert "abc" in await ask("old")


async def test_a_drain_is_cancelled_and_the_model_goes_on(house, ask, eventually):
    await house.supervisor.load(request(house.model("old", tokens=40, token_s=0.05)))
    running = asyncio.create_task(ask("old"))
    await eventually(lambda: house.supervisor.active().leases == 1)
    job = await house.supervisor.submit(request(house.model("new")))
    await eventually(lambda: house.supervisor.active().state == "draining")
    job = await house.supervisor.cancel(job.id)
    assert (job.state, job.rolled_back, job.switched) == (SwitchState.CANCELLED, False, False)
    assert "abc" in await running
    assert "abc" in await ask("old")
    assert len(house.backend.launches) == 1


async def test_a_newer_load_takes_the_place_of_a_queued_one_and_never_of_a_running_one(house, eventually):
    running = asyncio.create_task(house.supervisor.load(request(house.model("a", load_s=0.5))))
    await eventually(lambda: house.states()[-1:] == ["loading"])
    queued = asyncio.create_task(house.supervisor.load(request(house.model("b"))))
    await eventually(lambda: len(house.supervisor.jobs()) == 2)
    newest = await house.supervisor.submit(request(house.model("c")))
    assert newest.position == 1
    with pytest.raises(SupersededError):
        await queued
    assert (await running).state is SwitchState.COMMITTED
    assert (await house.supervisor.wait(newest.id)).switched
    assert house.supervisor.active().plan.model_id == "c"


async def test_jobs_are_remembered_and_an_ended_one_can_not_be_cancelled(house):
    done = await house.supervisor.load(request(house.model("a")))
    assert house.supervisor.job(done.id).state is SwitchState.COMMITTED
    with pytest.raises(ConflictError, match="has ended already"):
        await house.supervisor.cancel(done.id)
    with pytest.raises(NotFoundError):
        await house.supervisor.cancel("job_nonesuch")


async def test_a_drain_that_takes_too_long_ends_the_answers_with_a_word(make_house, eventually):
    house = make_house(supervisor={"drain_timeout_s": 0.3})
    async with house.supervisor:
        await house.supervisor.load(request(house.model("old", tokens=1000, token_s=0.05)))
        told = asyncio.get_running_loop().create_future()

        async def run():
            ticket = Ticket(revoke=told.set_result)
            async with house.supervisor.lease(LoadRequest(model="old"), TASK, ticket=ticket):
                await told

        running = asyncio.create_task(run())
        await eventually(lambda: house.supervisor.active() and house.supervisor.active().leases == 1)
        job = await house.supervisor.load(request(house.model("new")))
        await running
        assert told.result().code == "cancelled"
        assert job.release.proven


async def test_requests_for_the_loaded_model_go_first_but_not_for_ever(make_house, eventually):
    house = make_house(supervisor={"fair_wait_s": 0.8})
    async with house.supervisor:
        await house.supervisor.load(request(house.model("a", token_s=0.05, tokens=8)))
        house.model("b")
        over = asyncio.Event()

        async def hammer():
            while not over.is_set():
                async with house.supervisor.lease(LoadRequest(model="a"), TASK) as lease:
                    body = {"messages": [{"role": "user", "content": "x"}]}
                    await (await lease.worker.post("/v1/chat/completions", body)).read()

        hammers = [asyncio.create_task(hammer()) for _ in range(3)]
        await eventually(lambda: house.supervisor.active().leases == 3)
        before = asyncio.get_running_loop().time()
        async with house.supervisor.lease(LoadRequest(model="b"), TASK) as lease:
            waited_s = asyncio.get_running_loop().time() - before
            assert lease.generation == 2
            assert lease.queue_s == pytest.approx(waited_s, abs=0.1)
        over.set()
        await asyncio.gather(*hammers)
        assert 0.7 < waited_s < 6, "not at once, and not only when the others have had enough"


async def test_a_full_queue_refuses_and_who_leaves_makes_room(make_house, eventually):
    house = make_house(supervisor={"queue_limit": 2, "max_requests": 1})
    async with house.supervisor:
        await house.supervisor.load(request(house.model("a")))

        async def hold(over):
            async with house.supervisor.lease(LoadRequest(model="a"), TASK, ticket=Ticket(id="r")):
                await over.wait()

        over = asyncio.Event()
        held = [asyncio.create_task(hold(over)) for _ in range(3)]
        await eventually(lambda: len(house.supervisor.waiting()) == 2)
        assert [(w.position, w.model, w.id) for w in house.supervisor.waiting()] == [(1, "a", "r"), (2, "a", "r")]
        with pytest.raises(QueueFullError) as caught:
            await hold(over)
        assert caught.value.retry_after_s
        held.pop().cancel()
        await eventually(lambda: len(house.supervisor.waiting()) == 1)
        held.append(asyncio.create_task(hold(over)))
        await eventually(lambda: len(house.supervisor.waiting()) == 2)
        over.set()
        await asyncio.gather(*held)


async def test_events_tell_of_every_transition_and_job(house):
    async with contextlib.aclosing(house.supervisor.events.subscribe()) as events:
        first = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        await house.supervisor.load(request(house.model("a")))
        seen = [await first]
        while seen[-1].kind != "job" or not seen[-1].data["finished"]:
            seen.append(await anext(events))
    ids = [event.id for event in seen]
    assert ids == sorted(set(ids))
    workers = [event.data["state"] for event in seen if event.kind == "worker"]
    assert workers == ["launching", "loading", "probing", "ready"]
    jobs = list(dict.fromkeys(event.data["state"] for event in seen if event.kind == "job"))
    assert jobs == ["queued", "checking", "starting", "committed"]


async def test_an_end_in_the_moment_that_a_job_begins_is_an_end(make_house):
    for pauses in range(6):
        house = make_house()
        async with house.supervisor:
            load = asyncio.create_task(house.supervisor.load(request(house.model("a"))))
            for _ in range(pauses):
                await asyncio.sleep(0)
        with pytest.raises(UMLError):
            await asyncio.wait_for(load, 10)
