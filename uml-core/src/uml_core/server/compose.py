"""Put the parts together from the settings; the only module that knows all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uml_core import plugins as plugin_loader
from uml_core.plugins import Plugins
from uml_core.settings import Settings

if TYPE_CHECKING:
    from uml_core.planning import Planner
    from uml_core.registry import Registry
    from uml_core.storage import Storage
    from uml_core.storage.writer import OnEvent
    from uml_core.supervisor import Supervisor


def plugins_of(settings: Settings) -> Plugins:
    """Load the built-in plugins, and those that the settings allow.

    :raises PluginConflictError: two distributions claim one name
    """
    from uml_core.inspection import plugin as formats
    from uml_core.registry.plugin import BuiltinStores
    from uml_core.tasks import plugin as tasks

    return plugin_loader.load(
        builtins={"formats": formats, "stores": BuiltinStores(settings), "tasks": tasks},
        allow=settings.plugins.allow,
        disabled=(*settings.plugins.disabled, *settings.disabled_plugins),
        strict=settings.strict_plugins,
    )


def registry_of(settings: Settings, plugins: Plugins, *, storage: Storage | None = None) -> Registry:
    """The models that the plugins' stores have, but for those left out, and what earlier runs have learned of them.

    :param storage: where changes are kept, not started yet: what is in the database is read before it's opened there;
        without one, changes are for this process only
    """
    from uml_core.registry import Registry
    from uml_core.registry.records import Records

    readers = [card.distribution for card in plugins.cards if "uml_model_formats" in card.hooks]
    records = Records.load(settings.data_dir, storage, readers=readers)
    stores = [store for store in plugins.stores() if store.name not in settings.registry.disabled]
    return Registry(stores, plugins.formats(), settings, records=records)


def planner_of(settings: Settings, plugins: Plugins, registry: Registry) -> Planner:
    """What decides how a model is loaded."""
    from uml_core.planning import Planner

    return Planner(plugins, registry, settings)


def storage_of(settings: Settings, *, on_event: OnEvent | None = None, leisure_s: float = 1.0) -> Storage:
    """The database; to be started, and to be closed after everything that writes to it.

    :param on_event: told, from another thread, of what goes wrong with it and what is well again
    :param leisure_s: how long it may stay closed while nobody asks for it
    """
    from uml_core.storage import Storage

    return Storage(settings.data_dir, on_event=on_event, leisure_s=leisure_s)


def supervisor_of(
    settings: Settings, plugins: Plugins, registry: Registry, *, storage: Storage | None = None
) -> Supervisor:
    """What loads it; to be entered as a context.

    :param storage: where it writes down what happens
    """
    from uml_core.supervisor import Supervisor

    return Supervisor(plugins, planner_of(settings, plugins, registry), settings, storage=storage)
