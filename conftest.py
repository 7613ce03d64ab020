from __future__ import annotations

import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from uml_core.registry import Registry
from uml_core.registry.plugin import BuiltinStores
from uml_core.settings import read_settings


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The starter model's file: ``UML_TEST_MODEL``, or fetched once as a user would, into the cache folder."""
    if given := os.environ.get("UML_TEST_MODEL"):
        return Path(given)
    cache = Path(os.environ.get("UML_DEV_CACHE") or user_cache_path("uml-dev"))
    settings = read_settings(models_dir=cache / "models")
    offer = Registry(list(BuiltinStores(settings).uml_model_stores()), (), settings).offer("starter")
    assert offer
    return offer.fetch(lambda here, total: None).path
