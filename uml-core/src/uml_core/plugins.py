"""Find, load, block and list plugins, and ask one of them; the only module that touches pluggy."""

from __future__ import annotations

import importlib.metadata as metadata
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import pluggy
from attrs import field, frozen, mutable

from uml_core import API_VERSION, hookspecs
from uml_core.errors import PluginConflictError, PluginError, UnknownBackendError
from uml_core.types import BackendInfo, ModelFormat, ModelStore, Task

GROUP = "uml"
BUILTIN = "uml-core"
log = logging.getLogger(__name__)
Record = TypeVar("Record")


@frozen(kw_only=True)
class PluginCard:
    """One plugin as ``uml plugins`` lists it; ``reason`` says why it is not loaded."""

    name: str
    distribution: str
    status: Literal["loaded", "failed", "blocked"]
    reason: str = ""
    hooks: tuple[str, ...] = ()
    backend: BackendInfo | None = None


@mutable
class Plugins:
    """The plugins of this process."""

    _manager: pluggy.PluginManager
    cards: list[PluginCard] = field(factory=list)
    _backends: dict[str, str] = field(factory=dict)

    @property
    def backends(self) -> Mapping[str, BackendInfo]:
        """The card of every backend, by the backend's name."""
        return {card.backend.name: card.backend for card in self.cards if card.backend}

    def formats(self) -> tuple[ModelFormat, ...]:
        return self._collect("uml_model_formats", ModelFormat, key=lambda record: f"format '{record.name}'")

    def stores(self) -> tuple[ModelStore, ...]:
        return self._collect("uml_model_stores", ModelStore, key=lambda record: f"store '{record.name}'")

    def tasks(self) -> tuple[Task, ...]:
        return self._collect("uml_tasks", Task, key=_task_key)

    def ask(self, backend: str, hook: str, **arguments: Any) -> Any:
        """Call *hook* of one backend; wrappers of other plugins still run.

        :raises UnknownBackendError: no loaded plugin is that backend
        """
        chosen = self._manager.get_plugin(self._entry(backend))
        others = [self._manager.get_plugin(name) for name in self._backends.values()]
        caller = self._manager.subset_hook_caller(hook, [other for other in others if other is not chosen])
        answers = [answer for answer in caller(**arguments) if answer is not None]
        return answers[0] if answers else None

    def tell(self, hook: str, **arguments: Any) -> None:
        """Broadcast *hook*; what an implementation raises is logged and goes no further."""
        for name, implementation in self._implementations(hook):
            try:
                implementation(arguments)
            except Exception:
                log.exception("plugin '%s' failed in %s", name, hook)

    def _entry(self, backend: str) -> str:
        try:
            return self._backends[backend]
        except KeyError:
            known = ", ".join(sorted(self._backends)) or "none"
            raise UnknownBackendError(
                f"there is no backend '{backend}' here (installed: {known}); see `uml plugins`"
            ) from None

    def _implementations(self, hook: str) -> Iterator[tuple[str, Callable[[Mapping[str, Any]], Any]]]:
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            names, function = implementation.argnames, implementation.function
            yield (
                implementation.plugin_name,
                lambda arguments, names=names, function=function: function(*(arguments[name] for name in names)),
            )

    def _collect(self, hook: str, kind: type[Record], *, key: Callable[[Record], str | None]) -> tuple[Record, ...]:
        owners: dict[str, str] = {}
        records: list[Record] = []
        for name, implementation in self._implementations(hook):
            for record in implementation({}):
                claim = key(record)
                if claim is not None and owners.setdefault(claim, name) != name:
                    raise self._conflict(claim, owners[claim], name)
                records.append(record)
        return tuple(records)

    def _conflict(self, claim: str, first: str, second: str) -> PluginConflictError:
        return PluginConflictError(
            f"{claim} is claimed by both {self._origin(first)} and {self._origin(second)}; "
            "uninstall one, or name it in UML_DISABLED_PLUGINS"
        )

    def _origin(self, name: str) -> str:
        distribution = next((card.distribution for card in self.cards if card.name == name), BUILTIN)
        return f"'{name}' ({distribution})"

    def register(self, name: str, plugin: object, *, distribution: str) -> None:
        """Add one plugin object after checking it, or raise and leave nothing of it behind.

        :raises PluginError: another api_version, an unknown hook, or an answer of a wrong type
        :raises PluginConflictError: its backend's name is taken
        """
        _check_version(plugin)
        try:
            self._manager.register(plugin, name)
            hooks = _hooks_of(self._manager, plugin)
            backend = self._backend_of(name, plugin, hooks)
            self._check_records(name, hooks)
        except BaseException:  # pluggy keeps the name of a plugin that it refused
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            raise
        if backend:
            self._backends[backend.name] = name
        card = PluginCard(
            name=name, distribution=distribution, status="loaded", hooks=tuple(hooks), backend=backend
        )
        self.cards.append(card)

    def _backend_of(self, name: str, plugin: object, hooks: Iterable[str]) -> BackendInfo | None:
        if "uml_backend_info" not in hooks:
            return None
        info = getattr(plugin, "uml_backend_info")()
        if not isinstance(info, BackendInfo):
            raise PluginError(f"uml_backend_info() gave a {type(info).__name__}, not a BackendInfo")
        missing = {"uml_detect_backend", "uml_launch_worker"} - set(hooks)
        if missing:
            raise PluginError(f"a backend must also implement {', '.join(sorted(missing))}")
        if info.name in self._backends:
            raise self._conflict(f"backend '{info.name}'", self._backends[info.name], name)
        return info

    def _check_records(self, name: str, hooks: Iterable[str]) -> None:
        kinds = {"uml_model_formats": ModelFormat, "uml_model_stores": ModelStore, "uml_tasks": Task}
        asked = {hook: kind for hook, kind in kinds.items() if hook in hooks}
        for hook, kind in asked.items():
            for plugin_name, implementation in self._implementations(hook):
                if plugin_name == name:
                    _check_kind(hook, kind, implementation({}))


def load(
    *,
    builtins: Mapping[str, object] | None = None,
    allow: Iterable[str] | None = None,
    disabled: Iterable[str] = (),
    strict: bool = False,
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> Plugins:
    """Load the built-in plugins, then every allowed entry point of the group ``uml``, one at a time.

    A plugin that fails is listed with its distribution and its reason, and the others go on.

    :param builtins: plugin objects of the core, by name
    :param allow: names of entry points to load, all when None
    :param disabled: names of entry points to leave out
    :param strict: raise what goes wrong instead of listing it
    :raises PluginConflictError: two distributions claim one name
    """
    manager = pluggy.PluginManager("uml")
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager)
    for name, plugin in (builtins or {}).items():
        plugins.register(name, plugin, distribution=BUILTIN)
    found = metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    for entry in sorted(found, key=lambda entry: entry.name):
        _load_entry(plugins, entry, allow=allow, disabled=disabled, strict=strict)
    plugins.formats(), plugins.stores(), plugins.tasks()  # a conflict is told now, not at the first use
    return plugins


def _load_entry(
    plugins: Plugins,
    entry: metadata.EntryPoint,
    *,
    allow: Iterable[str] | None,
    disabled: Iterable[str],
    strict: bool,
) -> None:
    distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown distribution"

    def listed(status: Literal["failed", "blocked"], reason: str) -> None:
        card = PluginCard(name=entry.name, distribution=distribution, status=status, reason=reason)
        plugins.cards.append(card)

    if allow is not None and entry.name not in allow:
        return listed("blocked", "not in [plugins] allow of uml.toml")
    if entry.name in disabled:
        return listed("blocked", "named in UML_DISABLED_PLUGINS or [plugins] disabled")
    if any(card.name == entry.name and card.status == "loaded" for card in plugins.cards):
        raise plugins._conflict(f"plugin name '{entry.name}'", entry.name, f"{entry.name} of {distribution}")
    try:
        plugins.register(entry.name, entry.load(), distribution=distribution)
    except PluginConflictError:
        raise
    except (Exception, SystemExit) as error:  # an import may raise anything, and some call sys.exit()
        log.warning("plugin '%s' of %s failed: %s", entry.name, distribution, error)
        if strict:
            raise PluginError(f"plugin '{entry.name}' of {distribution} failed: {error!r}") from error
        listed("failed", f"{type(error).__name__}: {error}")


def _check_version(plugin: object) -> None:
    version = getattr(plugin, "uml_api_version", None)
    if version is None:
        raise PluginError("declares no uml_api_version; it is not a UML plugin, or too old")
    if version != API_VERSION:
        raise PluginError(f"was written for api_version {version}; this UML has {API_VERSION}")


def _hooks_of(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    unknown = [name for name in dir(plugin) if name.startswith("uml_") and _is_lost_hook(manager, plugin, name)]
    if unknown:
        raise PluginError(f"implements unknown hooks: {', '.join(unknown)}")
    hooks = [caller.name for caller in manager.get_hookcallers(plugin) or ()]
    if not hooks:
        raise PluginError("implements no hook of UML (is @hookimpl missing?)")
    awaited = [name for name in hooks if inspect.iscoroutinefunction(getattr(plugin, name, None))]
    if awaited:
        raise PluginError(f"hooks are synchronous, but these are async: {', '.join(awaited)}")
    return sorted(hooks)


def _is_lost_hook(manager: pluggy.PluginManager, plugin: object, name: str) -> bool:
    return manager.parse_hookimpl_opts(plugin, name) is not None and not hasattr(hookspecs, name)


def _check_kind(hook: str, kind: type, records: object) -> None:
    if not isinstance(records, Iterable):
        raise PluginError(f"{hook}() gave a {type(records).__name__}, not an iterable of {kind.__name__}")
    for record in records:
        if not isinstance(record, kind):
            raise PluginError(f"{hook}() gave a {type(record).__name__}, not a {kind.__name__}")


def _task_key(task: Task) -> str | None:
    return f"path '{task.path}'" if task.claims is None else None
