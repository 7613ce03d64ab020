"""What loaded workers take is measured beside their work, and the next plan knows."""

import asyncio
import sys

import pytest
from attrs import evolve

from uml_core import hookimpl, plugins
from uml_core.errors import WorkerCrashedError
from uml_core.host.devices import Found
from uml_core.host.nvml import Devices
from uml_core.planning import Planner
from uml_core.planning.learned_memory import how_of
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.storage import NoStorage
from uml_core.supervisor import Supervisor, calibration, look, slot
from uml_core.tasks import plugin as tasks
from uml_core.testing import FakeBackend, FakeStore, write_fake_model
from uml_core.types import Device, LoadRequest, MemoryPart

MB = 1_000_000
TASK = "text-generation"
BATCH = 512


class Rows(NoStorage):
    """A storage that keeps the rows of ``loads`` as the database would."""

    def __init__(self):
        super().__init__()
        self.loads = {}

    def put(self, table, row):
        if table == "loads":
            self.loads.setdefault(row["id"], {}).update(row)


class Telling(FakeBackend):
    """Its engine says in its log what it takes: ``cuda:0 kv_cache 600 MiB``."""

    @hookimpl
    def uml_launch_worker(self, plan, launch):
        return evolve(super().uml_launch_worker(plan, launch), memory=read_memory)


def read_memory(line):
    words = line.split()
    return MemoryPart.exact(words[0], words[1], int(words[2]) << 20) if words[3:] == ["MiB"] else None


class House:
    """A supervisor whose measurements can be looked at."""

    def __init__(self, folder):
        self.models = folder / "models"
        self.models.mkdir()
        settings = Settings(data_dir=folder / "data", supervisor={"restarts": 1})
        self.backend = Telling()
        self.plugins = plugins.load(
            builtins={"fake": self.backend, "fakes": FakeStore(self.models), "tasks": tasks}, entry_points=()
        )
        self.registry = Registry(self.plugins.stores(), self.plugins.formats(), settings)
        self.rows = Rows()
        self.planner = Planner(self.plugins, self.registry, settings)
        self.supervisor = Supervisor(self.plugins, self.planner, settings, storage=self.rows)

    def model(self, name, **script):
        write_fake_model(self.models / f"{name}.fake", **script)
        return name

    async def load(self, name, **how):
        return await self.supervisor.load(LoadRequest(model=name, **how))

    async def answered(self, name, *, prompt_tokens, tokens=1):
        """A request whose worker says so of it."""
        async with self.supervisor.lease(LoadRequest(model=name), TASK) as lease:
            lease.prompt_tokens, lease.completion_tokens = prompt_tokens, tokens

    async def ask(self, name):
        async with self.supervisor.lease(LoadRequest(model=name), TASK) as lease:
            answer = await lease.worker.post("/v1/completions", {"prompt": "hello", "max_tokens": 2})
            try:
                return await answer.read()
            finally:
                await answer.aclose()

    def measurements(self, kind=None):
        found = self.registry.records.measurements(backend="fake")
        return [one for one in found if kind in (None, one.kind)]

    def sizes(self):
        active = self.supervisor.active()
        return {part.kind: part.size_bytes for part in active.measured} if active else {}


@pytest.fixture
async def house(tmp_path):
    made = House(tmp_path)
    async with made.supervisor:
        yield made


@pytest.fixture
def measured(house, eventually):
    """Wait until the loaded worker is measured."""
    return lambda: eventually(lambda: house.supervisor.active().measured)


async def test_a_load_is_measured_when_it_is_ready(house, measured):
    status = await house.load(house.model("a", allocate_bytes=64 * MB))
    await measured()
    assert 64 * MB <= sum(house.sizes().values()) <= 120 * MB
    plan = status.plan
    for one in house.measurements():
        assert (one.model_id, one.architecture, one.used, one.units) == ("a", "fake", False, plan.context_length)
        assert one.how == how_of(plan.context_length, 1, plan.placement)
        said = {part.kind: part.size_bytes for part in plan.memory.formula.parts}
        assert one.predicted_bytes == said.get(one.kind, 0)
    (row,) = house.rows.loads.values()
    assert row["predicted_bytes"] == plan.memory.estimate.total_bytes
    assert row["measured_bytes"] == sum(house.sizes().values())


async def test_a_full_batch_is_measured_and_what_is_no_full_batch_is_not(house, measured, eventually):
    name = house.model("a", allocate_bytes=64 * MB)
    await house.load(name)
    await measured()
    await house.answered(name, prompt_tokens=BATCH - 1, tokens=100)
    await house.answered(name, prompt_tokens=BATCH + 500)  # what is new of it is less than a batch
    await asyncio.sleep(0.2)
    assert not any(one.used for one in house.measurements())
    await house.answered(name, prompt_tokens=3 * BATCH)
    await eventually(lambda: all(one.used for one in house.measurements()))
    count = len(house.measurements())
    assert len({one.kind for one in house.measurements()}) == count, "one row for each kind of one load"


async def test_of_a_short_context_less_is_a_full_batch(house, measured, eventually):
    name = house.model("a", allocate_bytes=64 * MB, context_length=64)
    await house.load(name)
    await measured()
    await house.answered(name, prompt_tokens=56)
    await eventually(lambda: any(one.used for one in house.measurements()))


async def test_the_next_plan_of_it_learns_from_each_load(house, measured, eventually):
    name = house.model("a", allocate_bytes=200 * MB)
    off = []
    for number in range(4):
        plan = (await house.load(name)).plan
        assert plan.memory.loads == number
        await measured()
        await house.answered(name, prompt_tokens=600)
        await eventually(lambda: all(one.used for one in house.measurements()))
        off.append(abs(plan.memory.estimate.total_bytes - sum(house.sizes().values())))
        await house.supervisor.unload()
    assert off[0] > 100 * MB
    assert off[3] < 10 * MB
    estimate = plan.memory.estimate
    assert estimate.low_bytes <= estimate.total_bytes <= estimate.high_bytes < 1.1 * estimate.total_bytes


async def test_a_measuring_that_fails_or_never_ends_hurts_nobody(house, monkeypatch, caplog):
    async def hang(*_):
        await asyncio.Event().wait()

    async def fail(*_):
        raise RuntimeError("no such luck")

    for broken in (hang, fail):
        monkeypatch.setattr(calibration, "look", broken)
        name = house.model(broken.__name__, allocate_bytes=MB)
        await house.load(name)
        await house.answered(name, prompt_tokens=600)
        assert b"Hello" in await house.ask(name)
        assert house.supervisor.active().measured == ()
        assert (await house.supervisor.unload()).release.proven
    assert "the memory of 'fail' could not be measured; it is served as before" in caplog.text
    assert house.measurements() == []


async def test_a_worker_that_ends_meanwhile_leaves_no_measurement(house, monkeypatch, eventually, quiet):
    entered = asyncio.Event()
    whole = calibration.look

    async def slow(worker, devices):
        entered.set()
        await asyncio.wait([worker.process.exited])
        return await whole(worker, devices)

    monkeypatch.setattr(calibration, "look", slow)
    name = house.model("a", allocate_bytes=MB, crash_after_requests=2)
    await house.load(name)
    await entered.wait()
    with quiet(WorkerCrashedError):
        for _ in range(2):
            await house.ask(name)
    await eventually(lambda: house.supervisor.active() and house.supervisor.active().generation == 2)
    assert house.measurements() == []


async def test_after_a_rollback_the_row_of_the_load_that_failed_is_not_the_other_models(house, measured, quiet):
    good, bad = house.model("good", allocate_bytes=64 * MB), house.model("bad", load_exit=1)
    first = await house.load(good)
    await measured()
    with quiet(Exception):
        await house.load(bad)
    assert house.supervisor.active().plan.model_id == good
    await measured()
    await asyncio.sleep(0.1)
    failed = next(row for id, row in house.rows.loads.items() if id != first.id)
    assert failed["state"] == "rolled_back"
    assert (failed["measured_bytes"] or 0) < 64 * MB
    assert len({one.measured for one in house.measurements()}) == 2, "it was loaded twice, which counts"


async def test_a_switch_tells_the_planner_what_the_worker_was_measured_to_hold(house, monkeypatch):
    freed = []
    plan = Planner.plan

    def spying(self, request, **how):
        freed.append(dict(how["freed"]))
        return plan(self, request, **how)

    monkeypatch.setattr(Planner, "plan", spying)
    assert await house.supervisor.freed() == {}
    await house.load(house.model("a", allocate_bytes=64 * MB))
    held = await house.supervisor.freed()
    assert set(held) == {"cpu"}
    assert 64 * MB <= held["cpu"] <= 100 * MB
    await house.load(house.model("b"))
    assert freed[0] == {}
    assert abs(freed[1]["cpu"] - held["cpu"]) < 4 * MB


async def test_without_a_planned_memory_it_is_measured_and_nothing_is_learned(house, measured, monkeypatch):
    plan = Planner.plan
    monkeypatch.setattr(Planner, "plan", lambda self, *given, **how: evolve(plan(self, *given, **how), memory=None))
    await house.load(house.model("a", allocate_bytes=64 * MB))
    await measured()
    assert sum(house.sizes().values()) >= 64 * MB
    assert house.measurements() == []


DRIVER = """
import json, os, sys
for line in sys.stdin:
    used = (1 << 30) + (700 << 20 if os.path.exists(sys.argv[1]) else 0)
    device = {"index": 0, "uuid": "GPU-1", "name": "A", "total": 24 << 30, "used": used, "processes": None}
    print(json.dumps({"id": int(line), "devices": [device]}), flush=True)
"""
"""A driver that doesn't say who holds what; a worker that was started holds 700 MiB."""


async def test_what_a_worker_takes_of_a_device_is_measured_by_what_it_gained(house, measured, tmp_path, monkeypatch):
    (tmp_path / "driver.py").write_text(DRIVER)
    started = tmp_path / "started"
    command = (sys.executable, "-I", "-S", str(tmp_path / "driver.py"), str(started))
    driver = Devices(command=command, present=lambda: True)
    monkeypatch.setattr(house.supervisor._slot, "devices", driver)
    gpu = Device(id="cuda:0", kind="cuda", index=0, name="A", uuid="GPU-1", total_bytes=24 << 30)
    monkeypatch.setattr(look, "find_devices", lambda: Found(devices=(gpu,)))
    name = house.model("a", crash_count_file=str(started), log=["cuda:0 kv_cache 200 MiB", "cuda:0 kv_cache 400 MiB"])
    await house.load(name)
    await measured()
    found = {(part.device, part.kind): part.size_bytes for part in house.supervisor.active().measured}
    assert found["cuda:0", "kv_cache"] == 600 << 20
    assert found["cuda:0", "overhead"] == 100 << 20
    kept = {(one.device, one.kind): one.measured_bytes for one in house.measurements()}
    assert kept["cuda A", "overhead"] == 100 << 20
    assert (await house.supervisor.freed())["GPU-1"] == 700 << 20


async def test_what_devices_had_free_before_a_load_or_an_unload_is_not_believed_any_more(house, monkeypatch):
    states = []
    monkeypatch.setattr(slot, "forget_devices", lambda: states.append(house.supervisor.active() is not None))
    await house.load(house.model("a"))
    assert states == [True], "else what the worker holds would count as free, and once more as freed by its end"
    await house.supervisor.unload()
    assert len(states) == 2
