"""A real supervisor with real worker processes; only the engine is a script."""

import asyncio
import contextlib
import time

import pytest

from uml_core import plugins
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.supervisor import Supervisor
from uml_core.supervisor.process import marked
from uml_core.testing import FakeBackend, FakeStore, write_fake_model


class House:
    """A supervisor and what it was made of."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.models = folder / "models"
        self.models.mkdir(exist_ok=True)
        self.settings = Settings(data_dir=folder / "data", **settings)
        self.backend = FakeBackend()
        self.plugins = plugins.load(builtins={"fake": self.backend, "fakes": FakeStore(self.models)}, entry_points=())
        registry = Registry(self.plugins.stores(), self.plugins.formats(), self.settings)
        self.supervisor = Supervisor(self.plugins, Planner(self.plugins, registry, self.settings), self.settings)
        self.launch_ids = []

    def model(self, name, **script):
        write_fake_model(self.models / f"{name}.fake", **script)
        return name

    def states(self, generation=None):
        return [str(s.state) for s in self.backend.statuses if generation in (None, s.generation)]


async def until(condition, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
def eventually():
    return until


@pytest.fixture
def make_house(tmp_path):
    return lambda **settings: House(tmp_path, **settings)


@pytest.fixture
async def house(make_house):
    made = make_house()
    async with made.supervisor:
        yield made
    assert leftovers(made) == []
    assert list(made.settings.run_folder.glob("launch-*")) == [], "run folders of ended launches are removed"


def leftovers(house):
    """Processes of any launch of that house, by the environment that they can't shed."""
    found = []
    for launch_id in house.backend.launches:
        found += marked(launch_id)
    return found


@pytest.fixture
def survivors():
    return leftovers


@pytest.fixture
def quiet():
    return contextlib.suppress
