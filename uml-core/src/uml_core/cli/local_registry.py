"""A registry without a gateway: what is asked of one, answered by this process in the same words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import asdict

from uml_core.cli.here import plugins_here
from uml_core.cli.late_storage import LateStorage
from uml_core.errors import NotFoundError
from uml_core.server.catalog import READ_S, shelf_of
from uml_core.server.compose import registry_of
from uml_core.server.inventory import Inventory
from uml_core.types import LoadRequest

if TYPE_CHECKING:
    from uml_core.cli.registry import OnProgress, View
    from uml_core.plugins import Plugins
    from uml_core.registry import Registry
    from uml_core.registry.scan import ScanProgress
    from uml_core.settings import Settings


class LocalRegistry:
    """What :class:`uml_core.client.UniversalClient` asks a gateway for, with the same answers."""

    def __init__(self, settings: Settings, plugins: Plugins, registry: Registry) -> None:
        self._registry = registry
        inventory = Inventory(registry, plugins, settings)
        self._inventory = inventory
        self.model = inventory.model
        self.remove = inventory.remove
        self.aliases = inventory.aliases
        self.set_alias = inventory.set_alias
        self.remove_alias = inventory.remove_alias
        self.pin = inventory.pin
        self.advice = inventory.advice

    def listing(self) -> View:
        return self._inventory.listing(shelf_of(self._registry, read_s=READ_S))

    def scan(self, *, on_progress: OnProgress | None = None) -> View:
        def tell(progress: ScanProgress) -> None:
            if on_progress is not None:
                on_progress({"progress": asdict(progress)})

        report = self._registry.scan(tell)
        problems = [{"reason": problem.reason} for problem in report.problems]
        return {"report": {**asdict(report, recurse=False), "problems": problems}}

    def plan(self, model: str, **how: Any) -> View:
        return self._inventory.plan(LoadRequest(model=model, **how), allow_path=True)

    def cancel(self, job_id: str) -> View:
        raise NotFoundError(f"there is no job '{job_id}'; without a gateway nothing goes on by itself")


@contextlib.contextmanager
def open_local_registry(settings: Settings, *, writes: bool) -> Iterator[LocalRegistry]:
    """The registry of this process alone.

    :param writes: it is there to change something, so it must be able to keep that
    :raises GatewayRunningError: it *writes*, and another process holds the data folder
    """
    storage = LateStorage(settings)
    try:
        if writes:
            storage.begin()
        plugins = plugins_here(settings)
        yield LocalRegistry(settings, plugins, registry_of(settings, plugins, storage=storage))
    finally:
        storage.close()
