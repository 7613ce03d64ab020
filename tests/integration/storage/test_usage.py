"""Loads are counted where they are committed, and the count goes on after a restart."""

import pytest

from uml_core import plugins
from uml_core.errors import UMLError
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.registry.records import Records
from uml_core.settings import Settings
from uml_core.storage import Storage
from uml_core.supervisor import Supervisor
from uml_core.tasks import plugin as tasks
from uml_core.testing import FakeBackend, FakeStore, write_fake_model
from uml_core.types import LoadRequest


@pytest.fixture
def run(tmp_path, folder):
    """Load models one after the other, as one gateway does from its start to its end."""

    async def run(*names):
        found = plugins.load(
            builtins={"fake": FakeBackend(), "fakes": FakeStore(tmp_path), "tasks": tasks}, entry_points=()
        )
        settings, storage = Settings(data_dir=folder), Storage(folder)
        registry = Registry(found.stores(), found.formats(), settings, records=Records.load(folder, storage))
        storage.start()
        try:
            async with Supervisor(found, Planner(found, registry, settings), settings, storage=storage) as supervisor:
                for name in names:
                    try:
                        await supervisor.load(LoadRequest(model=name))
                    except UMLError:
                        assert name in {"broken", "unknown"}
        finally:
            storage.close()
        return registry.records

    return run


async def test_loads_are_counted(tmp_path, run, folder):
    for name, script in (("a", {}), ("b", {}), ("broken", {"load_exit": 3})):
        write_fake_model(tmp_path / f"{name}.fake", **script)
    records = await run("a", "a", "b", "unknown", "a")
    assert (records.usage("a").loads, records.usage("b").loads, records.usage("unknown").loads) == (2, 1, 0)
    records = await run("a")
    assert (records.usage("a").loads, records.usage("b").loads) == (3, 1)
    kept = Records.load(folder)
    assert kept.usage("a") == records.usage("a")
    assert kept.usage("a").last_loaded > kept.usage("b").last_loaded
