"""Who watches has to see: each promise that is broken on purpose is noticed."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from uml_core.types import ModelStatus, WorkerState

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def quiet_house(make_house):
    """One whose supervisor was never started."""
    made = make_house()
    made.settings.run_folder.mkdir(parents=True)
    return made


@pytest.fixture
async def observer(quiet_house, lifecycle):
    return lifecycle.Observer(quiet_house)


@pytest.fixture
def start(quiet_house):
    """Start a process that carries the mark of a launch."""
    house, started = quiet_house, []

    def start_one(launch_id):
        house.backend.launches.append(launch_id)
        started.append(subprocess.Popen(SLEEP, env={"UML_LAUNCH_ID": launch_id}))

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def tell(house, state, previous, generation=1):
    house.backend.statuses.append(
        ModelStatus(
            slot=0,
            generation=generation,
            model_id="a",
            backend="fake",
            state=state,
            previous=previous,
            at=datetime.now(UTC),
        )
    )


def test_two_workers_at_once(observer, start):
    start("one")
    observer.look()
    start("two")
    with pytest.raises(AssertionError, match="two workers"):
        observer.look()


async def test_a_process_that_is_left(observer, start):
    await observer.check_closed()
    start("one")
    with pytest.raises(AssertionError, match="left"):
        await observer.check_closed()


def test_a_transition_that_is_none(quiet_house, observer):
    tell(quiet_house, WorkerState.LAUNCHING, None)
    observer.look()
    tell(quiet_house, WorkerState.READY, WorkerState.LAUNCHING)
    with pytest.raises(AssertionError, match="launching to ready"):
        observer.look()


@pytest.mark.parametrize(("generation", "previous"), [(3, None), (2, None), (2, WorkerState.LAUNCHING)])
def test_a_generation_that_comes_late(quiet_house, observer, generation, previous):
    tell(quiet_house, WorkerState.LAUNCHING, None, 3)
    observer.look()
    tell(quiet_house, WorkerState.LOADING if previous else WorkerState.LAUNCHING, previous, generation)
    with pytest.raises(AssertionError, match="generation"):
        observer.look()


def test_a_job_that_turns_back(observer):
    observer.check_job({"id": "job_1", "state": "checking"})
    observer.check_job({"id": "job_1", "state": "checking"})
    observer.check_job({"id": "job_1", "state": "committed"})
    with pytest.raises(AssertionError, match="committed to failed"):
        observer.check_job({"id": "job_1", "state": "failed"})


async def test_a_job_that_never_ends(observer):
    observer.check_job({"id": "job_1", "state": "checking"})
    with pytest.raises(AssertionError, match="job_1"):
        await observer.check_closed()


async def test_a_port_that_is_left(quiet_house, observer):
    first = quiet_house.settings.supervisor.port_range[0]
    with socket.create_server(("127.0.0.1", first)), pytest.raises(AssertionError, match="ports are left"):
        await observer.check_closed()


async def test_a_descriptor_that_is_left(observer):
    descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        with pytest.raises(AssertionError, match="descriptors are left"):
            await observer.check_closed()
    finally:
        os.close(descriptor)


async def test_a_run_folder_that_is_left(quiet_house, observer):
    (quiet_house.settings.run_folder / "launch-1").mkdir(parents=True)
    with pytest.raises(AssertionError, match="launch-1"):
        await observer.check_closed()


async def test_a_request_without_an_end(house, lifecycle):
    observer = lifecycle.Observer(house)
    request = house.request("nonesuch")
    await observer.check_settled()
    request.ends.append(("answer", "once more"))
    with pytest.raises(AssertionError, match="once more"):
        observer.look()
    request.ends.pop()
