"""Who waits while models are switched is served or told, whatever becomes of the switch."""

import asyncio
import time

import pytest

from uml_core.errors import ModelLoadError, ModelLoadingError, RequestCancelledError
from uml_core.types import LoadRequest, SwitchState

LONG_S = 30.0


async def test_who_waited_for_the_model_that_fails_is_told_at_once_why(house, eventually):
    house.model("bad", load_exit=7, load_fault_after_s=0.3)
    await house.load(house.model("good"))
    switch = asyncio.create_task(house.load("bad"))
    await eventually(lambda: house.states(2)[-1:] == ["loading"])
    waited = [house.request("bad", wait_s=LONG_S) for _ in range(5)]
    with pytest.raises(ModelLoadError) as caught:
        await switch
    before_s = time.monotonic()
    await asyncio.gather(*(request.task for request in waited))
    assert time.monotonic() - before_s < 1.0
    for request in waited:
        assert request.ends[0][1].message == caught.value.message
        assert request.ends[0][1].job.state is SwitchState.ROLLED_BACK


async def test_a_request_may_leave_without_an_effect_on_the_load(house, eventually):
    house.model("slow", load_s=0.4)
    requests = [house.request("slow", wait_s=LONG_S) for _ in range(3)]
    impatient = house.request("slow", wait_s=0.1)
    await eventually(lambda: house.states() == ["launching", "loading"])
    requests[0].leave()
    await asyncio.gather(*(request.task for request in requests), impatient.task)
    assert [request.ends[0][0] for request in requests] == ["left", "answer", "answer"]
    assert isinstance(impatient.ends[0][1], ModelLoadingError)
    assert impatient.ends[0][1].retry_after_s
    assert impatient.ends[0][1].job.progress is not None
    assert len(house.backend.launches) == 1


async def test_a_request_that_leaves_in_the_moment_of_its_grant_holds_nothing(house, eventually):
    await house.load(house.model("good"))
    for yields in range(12):  # one of them is the moment between the owner's reply and the request's next step
        request = house.request("good", wait_s=LONG_S)
        for _ in range(yields):
            await asyncio.sleep(0)
        request.leave()
        await asyncio.wait([request.task])
        await eventually(lambda: house.supervisor.active().leases == 0)


@pytest.mark.parametrize("stage", ["launching", "loading", "probing"])
async def test_a_cancelled_load_gives_the_model_before_back_to_who_waited(house, eventually, stage):
    house.model("slow", load_s=0.4, probe_fault="hang")
    await house.load(house.model("good"), tokens=5)
    job = await house.supervisor.submit(LoadRequest(model="slow"))
    await eventually(lambda: stage in house.states(2))
    waits, hopes = house.request("good", wait_s=LONG_S), house.request("slow", wait_s=LONG_S)
    await asyncio.sleep(0)
    ended = await house.supervisor.cancel(job.id)
    assert (ended.state, ended.rolled_back, ended.switched) == (SwitchState.CANCELLED, True, False)
    await asyncio.gather(waits.task, hopes.task)
    assert len(waits.result().split()) == 5, "with its exact options"
    assert isinstance(hopes.ends[0][1], RequestCancelledError)
