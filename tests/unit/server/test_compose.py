"""The parts, put together from the settings."""

from __future__ import annotations

from uml_core import API_VERSION, hookimpl
from uml_core import plugins as plugin_loader
from uml_core.server.compose import registry_of
from uml_core.settings import Settings
from uml_core.types import ModelStore, StoredModel


class Store:
    """A plugin with one model."""

    uml_api_version = API_VERSION

    def __init__(self, path):
        self.path = path

    @hookimpl
    def uml_model_stores(self):
        model = StoredModel(id="m", path=self.path, size_bytes=1, store="far")
        yield ModelStore(name="far", list=lambda: [model])


def test_the_settings_leave_out_stores_of_plugins_too(tmp_path):
    plugins = plugin_loader.load(builtins={"far": Store(tmp_path)}, entry_points=[])
    for disabled, ids in ([], ["m"]), (["far"], []):
        settings = Settings(data_dir=tmp_path, registry={"disabled": disabled})
        assert [model.id for model in registry_of(settings, plugins).models()] == ids
