"""Finding, loading, blocking and listing plugins, with distributions as pip would leave them on the disk."""

import importlib.metadata as metadata
import re
import sys
import textwrap
from pathlib import Path

import pytest
from attrs import evolve, mutable
from pydantic import BaseModel

from uml_core import hookimpl, plugins
from uml_core.errors import PluginConflictError, PluginError, UnknownBackendError
from uml_core.settings import read_settings
from uml_core.testing import FakeBackend
from uml_core.types import Launch, Level, Match, ModelSource, Plan, Task

BACKEND = """
from pydantic import BaseModel, ConfigDict
from uml_core import hookimpl
from uml_core.types import BackendInfo, Level, Match, WorkerCommand

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

uml_api_version = 1

@hookimpl
def uml_backend_info():
    return BackendInfo(name="BACKEND", formats=("fake",), tasks=("text-generation",), options=Options)

@hookimpl
def uml_detect_backend(model):
    return Match(Level.SUPPORTED, "by BACKEND")

@hookimpl
def uml_launch_worker(plan):
    return WorkerCommand(argv=("BACKEND",))
"""
STATUS = """
from uml_core import hookimpl

uml_api_version = 1

@hookimpl
def uml_model_status(status):
    pass
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site-packages folder; `install(distribution, source)` leaves there what `pip install` would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = []

    def install(distribution, source, *, entry=None, version="1.2.3"):
        module = distribution.replace("-", "_") + "_plugin"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[uml]\n{entry or distribution.removeprefix('unit-')} = {module}\n")

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def load(**rest):
    """Load what the test installed, found by importlib.metadata, without what this machine has besides."""
    found = [entry for entry in metadata.entry_points(group="uml") if entry.dist.name.startswith("unit-")]
    return plugins.load(entry_points=found, **rest)


def card_of(loaded, name):
    return next(card for card in loaded.cards if card.name == name)


def test_a_backend_is_found_through_its_entry_point(site):
    site("unit-good", BACKEND.replace("BACKEND", "good"))
    loaded = plugins.load(allow=["good"])
    card = card_of(loaded, "good")
    assert (card.distribution, card.status) == ("unit-good 1.2.3", "loaded")
    assert card.hooks == ("uml_backend_info", "uml_detect_backend", "uml_launch_worker")
    assert loaded.backends["good"] is card.backend


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no engine here')", "RuntimeError: no engine here"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("import module_that_nobody_has", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        (STATUS.replace("uml_api_version = 1", ""), "declares no uml_api_version"),
        (STATUS.replace("uml_api_version = 1", "uml_api_version = 2"), "was written for api_version 2; this UML has 1"),
        (STATUS.replace("@hookimpl", ""), "implements no hook of UML (is @hookimpl missing?)"),
        (STATUS.replace("uml_model_status", "uml_modle_status"), "implements unknown hooks: uml_modle_status"),
        (STATUS.replace("@hookimpl", "@hookimpl(specname='uml_other')"), "implements unknown hooks: uml_other"),
        (STATUS.replace("def uml", "async def uml"), "these are async: uml_model_status"),
        (STATUS.replace("(status)", "(status, colour)"), "colour"),
        (STATUS.replace("@hookimpl", "@hookimpl(wrapper=True)").replace("pass", "yield"), "can be wrapped, not uml_mo"),
        (
            STATUS.replace("uml_model_status(status)", "uml_model_formats()").replace("pass", "return 7"),
            "uml_model_formats() gave a int, not an iterable of ModelFormat",
        ),
        (
            STATUS.replace("uml_model_status(status)", "uml_tasks()").replace("pass", "yield 'text'"),
            "uml_tasks() gave a str, not a Task",
        ),
        (
            STATUS.replace("uml_model_status(status)", "uml_model_stores()").replace("pass", "raise OSError('gone')"),
            "OSError: gone",
        ),
        (
            STATUS.replace("uml_model_status(status)", "uml_tasks()").replace("pass", "raise SystemExit(3)"),
            "SystemExit: 3",
        ),
        (BACKEND.replace("return BackendInfo", "return dict"), "uml_backend_info() gave a dict, not a BackendInfo"),
        (
            BACKEND.replace("@hookimpl\ndef uml_launch_worker", "def launch"),
            "a backend must also implement uml_launch_worker",
        ),
    ],
)
def test_a_broken_plugin_is_listed_with_its_distribution_and_the_others_go_on(site, source, reason):
    site("unit-broken", source)
    site("unit-watcher", STATUS)
    loaded = load()
    card = card_of(loaded, "broken")
    assert (card.distribution, card.status) == ("unit-broken 1.2.3", "failed")
    assert reason in card.reason
    assert card_of(loaded, "watcher").status == "loaded"
    assert loaded.backends == {}
    loaded.tell("uml_model_status", status=None)  # nothing of the broken one is left to be called
    assert loaded.formats() == loaded.stores() == loaded.tasks() == ()


def test_strict_raises_what_is_listed_otherwise(site):
    site("unit-broken", "raise RuntimeError('no engine here')")
    with pytest.raises(PluginError, match=r"'broken' of unit-broken 1\.2\.3 failed: RuntimeError\('no engine here'\)"):
        load(strict=True)


def test_only_allowed_plugins_are_imported(site):
    site("unit-good", STATUS)
    site("unit-spy", "raise SystemExit('was imported')")
    loaded = load(allow=["good"])
    assert card_of(loaded, "spy").status == "blocked"
    assert card_of(loaded, "spy").reason == "not in [plugins] allow of uml.toml"
    assert "unit_spy_plugin" not in sys.modules
    assert card_of(loaded, "good").status == "loaded"


def test_the_allow_list_may_be_a_generator(site):
    for name in ("one", "three", "two"):
        site(f"unit-{name}", STATUS)
    loaded = load(allow=(name for name in ("two", "one")))
    assert [card.status for card in loaded.cards] == ["loaded", "blocked", "loaded"]


def test_disabled_plugins_of_the_environment_are_not_imported(site, monkeypatch, tmp_path):
    site("unit-spy", "raise SystemExit('was imported')")
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    monkeypatch.setenv("UML_DISABLED_PLUGINS", "spy, other")
    loaded = load(disabled=read_settings().disabled_plugins)
    assert card_of(loaded, "spy").status == "blocked"
    assert "UML_DISABLED_PLUGINS" in card_of(loaded, "spy").reason
    assert "unit_spy_plugin" not in sys.modules


def test_two_backends_of_one_name_are_an_error_that_names_both(site):
    site("unit-first", BACKEND.replace("BACKEND", "same"))
    site("unit-second", BACKEND.replace("BACKEND", "same"), version="4.5")
    with pytest.raises(PluginConflictError) as caught:
        load()
    assert caught.value.message == (
        "backend 'same' is claimed by both 'first' (unit-first 1.2.3) and 'second' (unit-second 4.5); "
        "uninstall one, or name it in UML_DISABLED_PLUGINS"
    )


def test_two_entry_points_of_one_name_are_an_error_that_names_both(site):
    site("unit-first", STATUS, entry="mine")
    site("unit-second", STATUS, entry="mine")
    with pytest.raises(PluginConflictError, match=r"'mine' \(unit-\w+ 1\.2\.3\) and 'mine' \(unit-\w+ 1\.2\.3\)"):
        load()


def test_a_failed_plugin_does_not_hold_its_name(site):
    site("unit-a", "raise RuntimeError('broken')", entry="mine")
    site("unit-b", STATUS, entry="mine")
    assert sorted(card.status for card in load().cards) == ["failed", "loaded"]


FORMAT = 'ModelFormat(name="gguf", claims=lambda *_: False, read=print)'
STORE = 'ModelStore(name="disk", list=tuple)'
TASK = 'Task(name="text-generation", path="/v1/shout", request=dict, handle=print)'


@pytest.mark.parametrize(
    ("hook", "record", "claim"),
    [
        ("uml_model_formats", FORMAT, "format 'gguf'"),
        ("uml_model_stores", STORE, "store 'disk'"),
        ("uml_tasks", TASK, "path '/v1/shout'"),
    ],
)
def test_two_records_of_one_name_are_an_error_that_names_both(site, hook, record, claim):
    source = f"""
    from uml_core import hookimpl
    from uml_core.types import ModelFormat, ModelStore, Task

    uml_api_version = 1

    @hookimpl
    def {hook}():
        yield {record}
    """
    site("unit-ours", source)
    site("unit-theirs", source)
    with pytest.raises(PluginConflictError) as caught:
        load()
    assert caught.value.message.startswith(
        f"{claim} is claimed by both 'ours' (unit-ours 1.2.3) and 'theirs' (unit-theirs 1.2.3); uninstall one"
    )


def test_tasks_of_one_path_go_together_if_one_claims_its_bodies():
    def task(claims):
        return Task(name="text-generation", path="/v1/shout", request=BaseModel, handle=print, claims=claims)

    loaded = plugins.load(builtins={"a": Offer(task(None)), "b": Offer(task(bool))}, entry_points=())
    assert len(loaded.tasks()) == 2


class Offer:
    uml_api_version = 1

    def __init__(self, *tasks):
        self.tasks = tasks
        self.asked = 0

    @hookimpl
    def uml_tasks(self):
        self.asked += 1
        return self.tasks


def test_a_plugin_is_asked_for_its_records_once():
    offer = Offer()
    loaded = plugins.load(builtins={"offer": offer}, entry_points=())
    loaded.tasks(), loaded.tasks()
    assert offer.asked == 1


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Offer, "is the class Offer; the entry point must name a module or an instance"),
        (mutable(type("Equal", (), {"uml_api_version": 1}))(), "is a Equal without a hash; give the class eq=False"),
        (None, "declares no uml_api_version"),
    ],
)
def test_a_wrong_plugin_object_is_refused(plugin, reason):
    with pytest.raises(PluginError, match=re.escape(reason)):
        plugins.load(builtins={"odd": plugin}, entry_points=())


class Around:
    """A plugin that is no backend: it wraps the launch, and implements hooks of backends without being one."""

    uml_api_version = 1

    def __init__(self):
        self.seen = []

    @hookimpl(wrapper=True)
    def uml_launch_worker(self, plan):
        commands = yield
        self.seen.append(commands)
        return [evolve(command, env={"WRAPPED": "1"}) for command in commands]

    @hookimpl
    def uml_detect_backend(self, model):
        self.seen.append("detect")
        return Match(Level.NATIVE, "by somebody who is no backend")

    @hookimpl
    def uml_cleanup_worker(self, plan):
        self.seen.append("cleanup")
        raise RuntimeError("an observer that fails")


@pytest.fixture
def three():
    """Two backends, and a plugin around them that is registered last, so that pluggy calls it first."""
    mine, other, around = FakeBackend("mine"), FakeBackend("other", formats=False), Around()
    loaded = plugins.load(builtins={"mine": mine, "other": other, "around": around}, entry_points=())
    return loaded, mine, other, around


def test_ask_reaches_only_the_addressed_backend_and_wrappers_run(three):
    loaded, mine, other, around = three
    command = loaded.ask("mine", "uml_launch_worker", plan=a_plan(), launch=a_launch())
    assert command.env == {"WRAPPED": "1"}
    assert len(around.seen[0]) == 1
    assert (mine.launches, other.launches) == (["one"], [])


def test_the_answer_of_a_plugin_that_is_no_backend_counts_for_nothing(three):
    loaded, _, _, around = three
    match = loaded.ask("mine", "uml_detect_backend", model=a_plan().model, host=None, settings={})
    assert match.reason == "made for the format"
    assert around.seen == ["detect"]


def test_an_observer_that_fails_does_not_keep_the_backend_from_its_cleanup(three, caplog):
    loaded, mine, other, around = three
    loaded.ask("mine", "uml_cleanup_worker", plan=a_plan(), exit=None)
    assert (len(mine.cleanups), len(other.cleanups), around.seen) == (1, 0, ["cleanup"])
    assert "plugin 'around' failed in uml_cleanup_worker" in caplog.text


def test_what_the_addressed_backend_raises_reaches_the_caller_and_observers_are_still_told(three):
    loaded, mine, _, around = three
    mine.cleanups = None
    with pytest.raises(AttributeError):
        loaded.ask("mine", "uml_cleanup_worker", plan=a_plan(), exit=None)
    assert around.seen == ["cleanup"]


def test_an_unknown_backend_is_an_error_that_names_the_installed_ones(three):
    with pytest.raises(UnknownBackendError, match=r"no backend 'yours' here \(installed: mine, other\)"):
        three[0].ask("yours", "uml_launch_worker")


def test_a_raising_status_observer_goes_no_further(caplog):
    class Raising:
        uml_api_version = 1

        @hookimpl
        def uml_model_status(self, status):
            raise RuntimeError("statsd is down")

    watcher = FakeBackend()
    loaded = plugins.load(builtins={"watcher": watcher, "raising": Raising()}, entry_points=())
    loaded.tell("uml_model_status", status="loading")
    assert watcher.statuses == ["loading"]
    assert "plugin 'raising' failed in uml_model_status" in caplog.text
    assert "statsd is down" in caplog.text


def a_plan():
    path = Path("/models/a.fake")
    model = ModelSource(path=path, format="fake", files=(path,), size_bytes=1)
    return Plan(model_id="a", model=model, backend="mine", tasks=("text-generation",), context_length=64)


def a_launch():
    return Launch(generation=1, launch_id="one", host="127.0.0.1", port=1, token="secret", run_dir=Path("/run"))


DEVICES = """
from uml_core import hookimpl
from uml_core.types import Device

uml_api_version = 1

@hookimpl
def uml_detect_devices():
    yield Device(id="vulkan:0", kind="vulkan", index=0, name="NAME")
"""


def test_each_implementation_of_a_hook_can_be_asked_by_itself(site):
    site("unit-a", DEVICES.replace("NAME", "A"))
    site("unit-b", DEVICES.replace("yield Device", "raise OSError() or Device"))
    calls = load().calls("uml_detect_devices")
    assert list(calls) == ["a", "b"]
    assert [device.name for device in calls["a"]()] == ["A"]
    with pytest.raises(OSError):
        calls["b"]()


def test_who_implements_a_hook_is_known_without_an_import(site):
    site("unit-a", DEVICES)
    site("unit-b", STATUS)
    assert "a" not in plugins.implementing("uml_detect_devices")
    assert "unit_a_plugin" not in sys.modules
    load()
    assert {"a", "b"} & set(plugins.implementing("uml_detect_devices")) == {"a"}
    assert {"a", "b"} & set(plugins.implementing("uml_model_status")) == {"b"}


def test_an_entry_that_names_nothing_implements_nothing(site):
    site("unit-a", DEVICES, entry="a = unit_a_plugin:missing\nb")
    load()
    assert "a" not in plugins.implementing("uml_detect_devices")
