"""Loads, leases, switches and ends over real worker processes."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import time

import attrs
import psutil
import pytest

from uml_core.errors import (
    ConflictError,
    InvalidModelFileError,
    ModelLoadError,
    ModelLoadingError,
    ModelNotFoundError,
    PortInUseError,
    ShuttingDownError,
    TaskNotSupportedError,
    UMLError,
    UnknownBackendError,
    WorkerCrashedError,
)
from uml_core.supervisor import lock
from uml_core.types import LoadRequest, SwitchState, WorkerState

TASK = "text-generation"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "nonce=abc"}]}


async def ask_of(house, name, **body):
    async with house.supervisor.lease(LoadRequest(model=name), TASK) as lease:
        answer = await lease.worker.post("/v1/chat/completions", {**CHAT, **body})
        text = (await answer.read()).decode()
        assert answer.status == 200, text
        return text


async def test_a_load_goes_through_the_states_and_answers(house, eventually):
    job = await house.supervisor.load(LoadRequest(model=house.model("a", load_s=0.3)))
    assert (job.plan.model_id, job.state, job.switched, job.cause) == ("a", SwitchState.COMMITTED, True, None)
    assert house.states() == ["launching", "loading", "probing", "ready"]
    assert "abc" in await ask_of(house, "a")
    await eventually(lambda: house.states()[4:] == ["busy", "ready"])
    active = house.supervisor.active()
    assert (active.state, active.generation, active.leases) == (WorkerState.READY, 1, 0)
    assert active.port in house.settings.supervisor.port_range
    assert psutil.Process(active.pid).is_running()


@pytest.mark.parametrize("accepts", ["fd", "port"])
async def test_both_endpoints(house, accepts):
    await house.supervisor.load(LoadRequest(model=house.model("a"), options={"accepts": accepts}))
    assert "abc" in await ask_of(house, "a")


async def test_a_request_loads_its_model_and_many_join_one_load(house):
    name = house.model("a", load_s=0.3)
    answers = await asyncio.gather(*(ask_of(house, name) for _ in range(8)))
    assert len(answers) == 8
    assert len(house.backend.launches) == 1


async def test_explicit_loads_of_the_same_join(house):
    name = house.model("a", load_s=0.3)
    await asyncio.gather(*(house.supervisor.load(LoadRequest(model=name)) for _ in range(4)))
    await house.supervisor.load(LoadRequest(model=name))
    assert len(house.backend.launches) == 1


async def test_a_load_with_other_options_loads_again(house):
    name = house.model("a")
    await house.supervisor.load(LoadRequest(model=name))
    await house.supervisor.load(LoadRequest(model=name, options={"tokens": 3}))
    await house.supervisor.load(LoadRequest(model=name))
    assert len(house.backend.launches) == 2, "a load by name alone takes the options that are there"


async def test_a_switch_waits_for_running_requests_and_leaves_nothing_of_the_old(house):
    first, second = house.model("a", token_s=0.05, tokens=10), house.model("b")
    running = asyncio.create_task(ask_of(house, first))
    await asyncio.sleep(0.3)
    old = house.supervisor.active().pid
    assert "abc" in await ask_of(house, second)
    assert "abc" in await running, "the running answer was not cut"
    assert not psutil.pid_exists(old)
    assert house.supervisor.active().generation == 2
    assert house.states(1)[-4:] == ["draining", "stopping", "verifying", "gone"]


async def test_alternating_requests_are_all_answered(house):
    names = [house.model("a"), house.model("b")]
    answers = await asyncio.wait_for(asyncio.gather(*(ask_of(house, names[i % 2]) for i in range(12))), 60)
    assert len(answers) == 12


async def test_a_client_that_leaves_does_not_stop_the_load(house, eventually):
    name = house.model("a", load_s=0.5)
    waiting = asyncio.create_task(house.supervisor.load(LoadRequest(model=name)))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await eventually(lambda: house.states()[-1:] == ["ready"])
    assert len(house.backend.launches) == 1


async def test_a_request_waits_for_a_load_only_so_long_and_the_load_goes_on(house, eventually):
    name = house.model("a", load_s=0.8)
    with pytest.raises(ModelLoadingError) as caught:
        async with house.supervisor.lease(LoadRequest(model=name), TASK, wait_s=0.2):
            pytest.fail("it can't be ready yet")
    assert caught.value.retry_after_s
    await eventually(lambda: house.states()[-1:] == ["ready"])
    assert house.supervisor.active().leases == 0


async def test_progress_is_seen_while_loading(house, eventually):
    load = asyncio.create_task(house.supervisor.load(LoadRequest(model=house.model("a", load_s=1.0))))
    await eventually(
        lambda: (active := house.supervisor.active()) and active.progress and 0 < (active.progress.part or 0) < 1
    )
    assert house.supervisor.active().state is WorkerState.LOADING
    await load


async def test_unload_empties_the_slot(house):
    await house.supervisor.load(LoadRequest(model=house.model("a")))
    job = await house.supervisor.unload()
    assert (job.previous, job.switched, job.release.proven) == ("a", True, True)
    assert house.supervisor.active() is None
    job = await house.supervisor.unload()
    assert (job.previous, job.switched, job.release) == (None, False, None)
    assert lock.is_free(house.settings.run_folder / "slot-0.lock")
    assert len(house.backend.cleanups) == 1
    _, ended = house.backend.cleanups[0]
    assert ended.intended


CHEESE = {"log": ["out of cheese"]}
SLOW = {"ready_timeout_s": 0.7, **CHEESE}
FAILING = {
    "exits": ({"load_exit": 7, **CHEESE}, "gave up with exit code 7", "model_load_failed"),
    "crashes": ({"load_signal": 11, **CHEESE}, "its engine crashed (SIGSEGV", "worker_crashed"),
    "never ready": ({"never_ready": True, **SLOW}, "not ready after", "load_timeout"),
    "never listens": ({"never_listens": True, **SLOW}, "not ready after", "load_timeout"),
    "wrong token": ({"token": "wrong", **CHEESE}, "refuses the token", "model_load_failed"),
    "holds the GIL": ({"hold_gil": "before", "hold_gil_s": 60, **SLOW}, "not ready after", "load_timeout"),
    "holds it listening": ({"hold_gil": "after", "hold_gil_s": 60, **SLOW}, "not ready after", "load_timeout"),
}


@pytest.mark.parametrize("accepts", ["fd", "port"])
@pytest.mark.parametrize(("script", "sentence", "code"), FAILING.values(), ids=FAILING)
async def test_a_failed_load_says_why_with_the_last_words_and_leaves_nothing(house, script, sentence, code, accepts):
    name = house.model("bad", **script, accepts=accepts, grandchild="closed")
    with pytest.raises(UMLError) as caught:
        await house.supervisor.load(LoadRequest(model=name))
    assert sentence in caught.value.message
    assert caught.value.code == code
    assert any("out of cheese" in line for line in caught.value.detail)
    assert (caught.value.job.state, caught.value.job.rolled_back) == (SwitchState.FAILED, False)
    assert house.supervisor.active() is None
    assert len(house.backend.cleanups) == 1
    assert "abc" in await ask_of(house, house.model("good")), "the slot is free for the next"


class Meddling:
    """The plugins, but with a backend whose command is changed on its way."""

    def __init__(self, plugins, change):
        self.tell = plugins.tell
        self.change, self.plugins = change, plugins

    def ask(self, backend, hook, **arguments):
        answer = self.plugins.ask(backend, hook, **arguments)
        return self.change(answer, arguments["launch"]) if hook == "uml_launch_worker" else answer


async def test_what_a_backend_gets_wrong_is_its_own_fault_by_name(house):
    name, launcher = house.model("a"), house.supervisor._slot._launcher
    for change, sentence in (
        (lambda command, launch: None, "gave no command"),
        (lambda command, launch: attrs.evolve(command, argv=("x", launch.token)), "put the token into argv"),
        (lambda command, launch: 1 / 0, "failed in uml_launch_worker with ZeroDivisionError"),
        (lambda command, launch: attrs.evolve(command, argv=("/nonexistent",)), "program could not be started"),
    ):
        launcher._plugins = Meddling(house.plugins, change)
        with pytest.raises(UMLError, match=sentence):
            await house.supervisor.load(LoadRequest(model=name))
        assert house.supervisor.active() is None
    launcher._plugins = house.plugins
    assert "abc" in await ask_of(house, name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk_is_a_sentence_and_no_end_of_the_gateway(make_house, tmp_path, survivors):
    disk = tmp_path / "data"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        house = make_house()
        async with house.supervisor:
            (disk / "filler").write_bytes(b"x" * 4096)
            with contextlib.suppress(OSError), (disk / "filler").open("ab") as filler:
                while True:
                    filler.write(b"x" * 4096)
            with pytest.raises(ModelLoadError, match="No space left on device"):
                await house.supervisor.load(LoadRequest(model=house.model("a")))
            (disk / "filler").unlink()
            assert "abc" in await ask_of(house, "a"), "with room again it goes on"
        assert survivors(house) == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_a_slow_load_that_holds_the_gil_gets_ready(house):
    await house.supervisor.load(LoadRequest(model=house.model("a", hold_gil="after", hold_gil_s=1.0)))
    assert "abc" in await ask_of(house, "a")


async def test_what_is_wrong_with_the_request_leaves_the_loaded_model_alone(house):
    await house.supervisor.load(LoadRequest(model=house.model("a")))
    pid = house.supervisor.active().pid
    (house.models / "broken.fake").write_bytes(b"FAKE1\n{")
    for request, error in (
        (LoadRequest(model="unknown"), ModelNotFoundError),
        (LoadRequest(model="broken"), InvalidModelFileError),
        (LoadRequest(model="a", backend="nonesuch"), UnknownBackendError),
    ):
        with pytest.raises(error):
            await house.supervisor.load(request)
    with pytest.raises(TaskNotSupportedError):
        async with house.supervisor.lease(LoadRequest(model="a"), "text-to-speech"):
            pytest.fail("it can't do that")
    assert house.supervisor.active().pid == pid
    assert "abc" in await ask_of(house, "a")


async def test_a_worker_that_crashes_is_cleaned_up_and_started_again(house, eventually):
    await house.supervisor.load(LoadRequest(model=house.model("a", grandchild="holding")))
    os.kill(house.supervisor.active().pid, signal.SIGKILL)
    await eventually(lambda: house.backend.cleanups)
    assert not house.backend.cleanups[0][1].intended
    assert "abc" in await ask_of(house, "a")
    assert house.supervisor.active().generation == 2


async def test_a_worker_that_dies_in_the_moment_it_gets_ready_never_counts_as_ready(house, monkeypatch):
    def die_while_it_is_proven_ours(pids, _):
        os.kill(pids[0], signal.SIGKILL)
        time.sleep(0.3)  # in a thread: the owner hears of the end meanwhile
        return True

    name = house.model("a", accepts="port")
    with monkeypatch.context() as patch:
        patch.setattr("uml_core.supervisor.readiness.listens", die_while_it_is_proven_ours)
        with pytest.raises(UMLError, match="killed by SIGKILL, and the sender is unknown"):
            await house.supervisor.load(LoadRequest(model=name))
    assert house.supervisor.active() is None
    assert "abc" in await ask_of(house, name)


async def test_a_crash_mid_stream_is_an_error_not_an_end(house):
    name = house.model("a", tokens=50, stream_fault="half_frame", stream_fault_after=5)
    with pytest.raises(WorkerCrashedError):
        await ask_of(house, name, stream=True)


async def test_a_worker_that_ignores_term_is_killed_after_its_grace(house):
    await house.supervisor.load(LoadRequest(model=house.model("a", ignore_term=True, stop_grace_s=0.3)))
    pid = house.supervisor.active().pid
    before = time.monotonic()
    await house.supervisor.unload()
    assert 0.3 <= time.monotonic() - before < 5
    assert not psutil.pid_exists(pid)
    assert house.backend.cleanups[0][1].signal == signal.SIGKILL


async def test_a_flood_of_output_does_not_block_the_load(house):
    await house.supervisor.load(LoadRequest(model=house.model("a", flood_bytes=4_000_000)))
    assert (house.settings.log_folder / "worker.log").stat().st_size > 1_000_000


async def test_leaving_while_loading_kills_at_once(make_house, survivors):
    house = make_house()
    before = time.monotonic()
    async with house.supervisor:
        load = asyncio.create_task(
            house.supervisor.load(LoadRequest(model=house.model("a", hold_gil="after", hold_gil_s=60)))
        )
        await asyncio.sleep(0.3)
    assert time.monotonic() - before < 5
    with pytest.raises(ShuttingDownError):
        await load
    assert survivors(house) == []
    with pytest.raises(ShuttingDownError):
        await house.supervisor.load(LoadRequest(model="a"))


async def test_all_ports_taken_names_the_holder(make_house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        house = make_house(supervisor={"ports": f"{port}-{port}"})
        async with house.supervisor:
            with pytest.raises(PortInUseError, match=str(os.getpid())):
                await house.supervisor.load(LoadRequest(model=house.model("a")))
            assert house.supervisor.active() is None


async def test_the_slot_is_locked_while_anyone_of_the_worker_lives(house):
    await house.supervisor.load(LoadRequest(model=house.model("a")))
    with pytest.raises(ConflictError):
        lock.take(house.settings.run_folder / "slot-0.lock")


async def test_the_token_is_nowhere_to_be_read(house, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "hunter2")
    await house.supervisor.load(LoadRequest(model=house.model("a", log=["hello"])))
    worker = house.supervisor._slot.worker
    token = worker.launch.token
    process = psutil.Process(worker.process.pid)
    assert token not in " ".join(process.cmdline())
    assert token not in " ".join(process.environ().values())
    assert "hunter2" not in process.environ().values()
    assert process.environ()["ORT_DISABLE_TELEMETRY"] == "1"
    assert token not in repr(worker.launch)
    assert token not in (house.settings.log_folder / "worker.log").read_text()
    for path in (worker.launch.token_file, worker.launch.launch_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(worker.launch.run_dir.stat().st_mode) == 0o700


async def test_no_descriptor_is_lost_over_many_loads(house):
    name = house.model("a")
    await house.supervisor.load(LoadRequest(model=name))
    await house.supervisor.unload()
    before = psutil.Process().num_fds()
    for _ in range(5):
        await house.supervisor.load(LoadRequest(model=name))
        await house.supervisor.unload()
    assert psutil.Process().num_fds() <= before
