import inspect
import subprocess
import sys

import pytest

from uml_core.storage import NoStorage, Storage


async def test_it_takes_everything_and_keeps_nothing():
    storage = NoStorage(run_id="r")
    storage.start()
    storage.put("requests", {"id": "a"})
    storage.put("no such table", {})
    storage.flush()
    assert await storage.select(lambda connection: [{"a": 1}]) == []
    assert await storage.load_seconds("m", "b") == []
    assert await storage.last_load() is None
    assert (storage.run_id, storage.degraded, storage.dropped) == ("r", None, 0)
    storage.close()


@pytest.mark.parametrize("name", [name for name in vars(Storage) if not name.startswith("_")])
def test_it_has_the_same_methods(name):
    real, null = getattr(Storage, name), getattr(NoStorage, name)
    if callable(real):
        assert inspect.signature(real) == inspect.signature(null)


def test_to_import_it_imports_nothing_heavy():
    code = "import sys, uml_core.storage; print([n for n in ('sqlalchemy', 'alembic', 'sqlite3', 'asyncio') if n in sys.modules])"  # noqa: E501
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
