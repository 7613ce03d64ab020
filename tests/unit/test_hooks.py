"""One test a hook: that its consumer in the core calls it, with what the contract says, and acts upon the answer."""

import pytest
from pydantic import BaseModel

from uml_core import API_VERSION, hookimpl, plugins
from uml_core.errors import InsufficientMemoryError, ModelLoadError, NoBackendError
from uml_core.host import probe_host
from uml_core.inspection import inspect
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.supervisor import Supervisor
from uml_core.testing import FakeBackend, FakeOptions, write_fake_model
from uml_core.types import (
    Diagnosis,
    HostInfo,
    Level,
    LoadRequest,
    MemoryEstimate,
    MemoryPart,
    ModelFormat,
    ModelSource,
    ModelStore,
    StoredModel,
    Task,
)


class Core:
    """The consumers of all hooks, with *offered* as the only plugins."""

    def __init__(self, folder, *offered, **settings):
        self.folder = folder
        self.settings = Settings(data_dir=folder / "data", **settings)
        named = {f"plugin{number}": plugin for number, plugin in enumerate(offered)}
        self.plugins = plugins.load(builtins=named, entry_points=())
        self.registry = Registry(self.plugins.stores(), self.plugins.formats(), self.settings)
        self.planner = Planner(self.plugins, self.registry, self.settings)

    def model(self, **script):
        return str(write_fake_model(self.folder / "a.fake", **script))

    def plan(self, **wanted):
        return self.planner.plan(LoadRequest(model=self.model(), **wanted), allow_path=True)

    async def load_and_unload(self, **script):
        async with Supervisor(self.plugins, self.planner, self.settings) as supervisor:
            await supervisor.load(LoadRequest(model=self.model(**script)), allow_path=True)
            await supervisor.unload()


@pytest.fixture
def make_core(tmp_path, monkeypatch):
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    return lambda *offered, **settings: Core(tmp_path, *offered, **settings)


def test_hook_uml_backend_info(make_core):
    core = make_core(FakeBackend("mine"))
    card = core.plugins.backends["mine"]
    assert (card.name, card.formats, card.options) == ("mine", ("fake",), FakeOptions)
    plan = core.plan(options={"tokens": 3})
    assert plan.backend == "mine"
    assert plan.tasks == card.tasks
    assert plan.options["tokens"] == 3


def test_hook_uml_model_formats(make_core, tmp_path):
    class Format:
        uml_api_version = API_VERSION

        @hookimpl
        def uml_model_formats(self):
            yield ModelFormat(name="mine", claims=lambda path, head: head.startswith(b"MINE"), read=self.read)

        def read(self, path):
            return ModelSource(path=path, format="mine", files=(path,), size_bytes=4, architecture="own")

    path = tmp_path / "a.mine"
    path.write_bytes(b"MINE")
    source = inspect(path, make_core(Format(), FakeBackend()).plugins.formats())
    assert (source.format, source.architecture) == ("mine", "own")


def test_hook_uml_model_stores(make_core, tmp_path):
    path = write_fake_model(tmp_path / "b.fake")

    class Store:
        uml_api_version = API_VERSION

        @hookimpl
        def uml_model_stores(self):
            yield ModelStore(name="mine", list=lambda: [StoredModel(id="org/b", path=path, size_bytes=1, store="mine")])

    core = make_core(Store(), FakeBackend())
    assert [model.id for model in core.registry.models()] == ["org/b"]
    assert core.registry.source(core.registry.find("org/b")).format == "fake"


def test_hook_uml_detect_backend(make_core):
    asked = []

    class Asked(FakeBackend):
        @hookimpl
        def uml_detect_backend(self, model, host, settings):
            asked.append((model.format, type(host), dict(settings)))
            return super().uml_detect_backend(model, settings)

    weak = FakeBackend("weak", level=Level.FALLBACK, formats=False)
    core = make_core(weak, Asked("strong"), plugins={"strong": {"installed": True}})
    plan = core.plan()
    assert plan.backend == "strong"
    assert "weak" in plan.rejected or plan.reason
    assert asked == [("fake", type(probe_host()), {"installed": True})]
    assert issubclass(asked[0][1], HostInfo)


def test_hook_uml_detect_backend_that_rejects_is_told_to_the_user(make_core):
    class Raising(FakeBackend):
        @hookimpl
        def uml_detect_backend(self):
            raise OSError("the driver is gone")

    core = make_core(FakeBackend("absent"), Raising("broken", formats=False), plugins={"absent": {"installed": False}})
    with pytest.raises(NoBackendError) as caught:
        core.plan()
    said = str(caught.value)
    assert "the fake engine is not installed" in said
    assert "set installed in [plugins.absent]" in said
    assert "the driver is gone" in said


async def test_hook_uml_launch_worker(make_core):
    launches = []

    class Launching(FakeBackend):
        @hookimpl
        def uml_launch_worker(self, plan, launch):
            launches.append((plan, launch, launch.run_dir.stat().st_mode & 0o777))
            return super().uml_launch_worker(plan, launch)

    core = make_core(Launching("mine"), FakeBackend("other", level=Level.FALLBACK, formats=False))
    await core.load_and_unload()
    [(plan, launch, mode)] = launches
    assert plan.backend == "mine"
    assert launch.generation == 1
    assert launch.port in core.settings.supervisor.port_range
    assert mode == 0o700
    assert launch.token not in repr(launch)


async def test_hook_uml_diagnose_exit(make_core):
    class Knowing(FakeBackend):
        asked = ()

        @hookimpl
        def uml_diagnose_exit(self, plan, exit):
            self.asked = (*self.asked, (plan.backend, exit.code, exit.signal, exit.state, exit.log_tail))
            return Diagnosis(
                code="insufficient_memory",
                message=f"'{plan.model_id}' could not be loaded: the drum is full; turn it over",
                suggestion={"tokens": 3},
                deterministic=True,
            )

    mine, other = Knowing("mine"), Knowing("other", level=Level.FALLBACK, formats=False)
    core = make_core(mine, other)
    with pytest.raises(InsufficientMemoryError, match="the drum is full; turn it over") as caught:
        await core.load_and_unload(load_exit=7, log=["a last word"])
    [(backend, code, signal, state, log_tail)] = mine.asked
    assert (backend, code, signal, state) == ("mine", 7, None, "loading")
    assert "a last word" in log_tail
    assert other.asked == ()
    assert "a last word" in caught.value.detail
    assert caught.value.permanent


async def test_hook_uml_diagnose_exit_that_has_no_answer_gets_cores(make_core):
    class Unknowing(FakeBackend):
        @hookimpl
        def uml_diagnose_exit(self):
            return None

    with pytest.raises(ModelLoadError, match="could not be loaded: its worker gave up with exit code 7"):
        await make_core(Unknowing()).load_and_unload(load_exit=7)


async def test_hook_uml_cleanup_worker(make_core):
    mine, other = FakeBackend("mine"), FakeBackend("other", level=Level.FALLBACK, formats=False)
    await make_core(mine, other).load_and_unload(log=["a last word"])
    [(plan, exit)] = mine.cleanups
    assert plan.backend == "mine"
    assert (exit.code, exit.signal, exit.intended) == (0, None, True)
    assert "a last word" in exit.log_tail
    assert other.cleanups == []


async def test_hook_uml_cleanup_worker_that_raises_keeps_nothing_from_being_removed(make_core):
    class Raising(FakeBackend):
        @hookimpl
        def uml_cleanup_worker(self, plan, exit):
            super().uml_cleanup_worker(plan, exit)
            raise OSError("a folder is gone")

    raising = Raising()
    core = make_core(raising)
    await core.load_and_unload()
    assert len(raising.cleanups) == 1
    assert list(core.settings.run_folder.glob("launch-*")) == []


def test_hook_uml_estimate_memory(make_core):
    class Knowing(FakeBackend):
        @hookimpl
        def uml_estimate_memory(self, plan, host):
            assert isinstance(host, HostInfo)
            size = plan.context_length * 1000
            return MemoryEstimate(parts=(MemoryPart.exact("cpu", "compute", size, source="probe"),))

    core = make_core(Knowing())
    request = LoadRequest(model=core.model(), context_length=2000)
    memory = core.planner.draft(request, allow_path=True, thorough=True).memory
    assert [part.size_bytes for part in memory.estimate.parts if part.source == "probe"] == [2_000_000]


def test_hook_uml_tasks(make_core):
    class Shout(BaseModel):
        text: str

    async def shout(request, worker):
        return await worker.post("/v1/completions", {"prompt": request.text.upper()})

    class Tasks:
        uml_api_version = API_VERSION

        @hookimpl
        def uml_tasks(self):
            yield Task(name="text-generation", path="/v1/shout", request=Shout, handle=shout)

    [task] = make_core(Tasks(), FakeBackend()).plugins.tasks()
    assert (task.path, task.request, task.handle) == ("/v1/shout", Shout, shout)


async def test_hook_uml_model_status(make_core):
    class Watcher:
        uml_api_version = API_VERSION

        def __init__(self):
            self.seen = []

        @hookimpl
        def uml_model_status(self, status):
            self.seen.append((status.generation, status.previous, str(status.state)))
            raise RuntimeError("statsd is down")

    watcher, backend = Watcher(), FakeBackend()
    await make_core(watcher, backend).load_and_unload()
    assert [state for _, _, state in watcher.seen][:4] == ["launching", "loading", "probing", "ready"]
    assert watcher.seen[-1][2] == "gone"
    assert watcher.seen[0][1] is None
    assert {generation for generation, _, _ in watcher.seen} == {1}
    assert len(backend.statuses) == len(watcher.seen)
