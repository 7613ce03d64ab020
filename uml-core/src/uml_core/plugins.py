"""Find, load, block and list plugins, and ask one of them; the only module that touches pluggy."""

from __future__ import annotations

import importlib.metadata as metadata
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, Literal

import pluggy
from attrs import field, frozen, mutable

from uml_core import API_VERSION, hookspecs
from uml_core.errors import PluginConflictError, PluginError, UnknownBackendError
from uml_core.types import BackendInfo, ModelFormat, ModelStore, Task

GROUP = "uml"
BUILTIN = "uml-core"
KINDS: Mapping[str, type] = {"uml_model_formats": ModelFormat, "uml_model_stores": ModelStore, "uml_tasks": Task}
ADDRESSED = (
    "uml_detect_backend", "uml_estimate_memory", "uml_launch_worker", "uml_diagnose_exit", "uml_cleanup_worker",
)  # fmt: skip
log = logging.getLogger(__name__)


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
    _offers: dict[str, list[tuple[str, Any]]] = field(factory=dict)

    @property
    def backends(self) -> Mapping[str, BackendInfo]:
        """The card of every backend, by the backend's name."""
        return {card.backend.name: card.backend for card in self.cards if card.backend}

    def formats(self) -> tuple[ModelFormat, ...]:
        return self._collect("uml_model_formats", key=lambda record: f"format '{record.name}'")

    def stores(self) -> tuple[ModelStore, ...]:
        return self._collect("uml_model_stores", key=lambda record: f"store '{record.name}'")

    def tasks(self) -> tuple[Task, ...]:
        return self._collect("uml_tasks", key=_task_key)

    def ask(self, backend: str, hook: str, **arguments: Any) -> Any:
        """Call *hook* of one backend; wrappers of other plugins run around it, other backends are not asked.

        A plugin that is no backend and implements the hook is told afterwards; what it answers or raises counts
        for nothing.

        :raises UnknownBackendError: no loaded plugin is that backend
        """
        name = self._entry(backend)
        losers = [self._manager.get_plugin(other) for other in self._backends.values() if other != name]
        observers = [one for one in self._implementations(hook) if one.plugin_name not in self._backends.values()]
        caller = self._manager.subset_hook_caller(hook, [*losers, *(observer.plugin for observer in observers)])
        try:
            answers = [answer for answer in caller(**arguments) if answer is not None]
        finally:
            self._tell(observers, hook, arguments)
        return answers[0] if answers else None

    def calls(self, hook: str) -> Mapping[str, Callable[[], Any]]:
        """What to call to ask each plugin that implements *hook*, by its name: each on its own, whatever it raises."""
        return {one.plugin_name: partial(_call, one, {}) for one in self._implementations(hook)}

    def tell(self, hook: str, **arguments: Any) -> None:
        """Broadcast *hook*; what an implementation raises is logged and goes no further."""
        self._tell(self._implementations(hook), hook, arguments)

    def _tell(self, implementations: Iterable[pluggy.HookImpl], hook: str, arguments: Mapping[str, Any]) -> None:
        for implementation in implementations:
            try:
                _call(implementation, arguments)
            except Exception:
                log.exception("plugin '%s' failed in %s", implementation.plugin_name, hook)

    def _entry(self, backend: str) -> str:
        try:
            return self._backends[backend]
        except KeyError:
            known = ", ".join(sorted(self._backends)) or "none"
            raise UnknownBackendError(
                f"there is no backend '{backend}' here (installed: {known}); see `uml plugins`"
            ) from None

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        return [one for one in getattr(self._manager.hook, hook).get_hookimpls() if not _is_wrapper(one)]

    def _collect(self, hook: str, *, key: Callable[[Any], str | None]) -> tuple[Any, ...]:
        owners: dict[str, str] = {}
        for name, record in self._offers.get(hook, ()):
            claim = key(record)
            if claim is not None and owners.setdefault(claim, name) != name:
                raise _conflict(claim, self._origin(owners[claim]), self._origin(name))
        return tuple(record for _, record in self._offers.get(hook, ()))

    def _origin(self, name: str) -> str:
        loaded = (card for card in self.cards if card.name == name and card.status == "loaded")
        return f"'{name}' ({next(loaded).distribution})"

    def register(self, name: str, plugin: object, *, distribution: str) -> None:
        """Add one plugin object after checking it, or raise and leave nothing of it behind.

        :raises PluginError: another api_version, an unknown hook, or an answer of a wrong type
        :raises PluginConflictError: its name, or its backend's name, is taken
        """
        if any(card.name == name and card.status == "loaded" for card in self.cards):
            raise _conflict(f"plugin name '{name}'", self._origin(name), f"'{name}' ({distribution})")
        _check_object(plugin)
        try:
            self._manager.register(plugin, name)
            hooks = _hooks_of(self._manager, plugin)
            backend = self._backend_of(hooks, f"'{name}' ({distribution})")
            offers = {hook: _records(hook, kind, hooks[hook]) for hook, kind in KINDS.items() if hook in hooks}
        except BaseException:  # pluggy keeps the name of a plugin that it refused
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            raise
        if backend:
            self._backends[backend.name] = name
        for hook, records in offers.items():
            self._offers.setdefault(hook, []).extend((name, record) for record in records)
        card = PluginCard(
            name=name, distribution=distribution, status="loaded", hooks=tuple(sorted(hooks)), backend=backend
        )
        self.cards.append(card)

    def _backend_of(self, hooks: Mapping[str, pluggy.HookImpl], origin: str) -> BackendInfo | None:
        if "uml_backend_info" not in hooks:
            return None
        info = _call(hooks["uml_backend_info"], {})
        if not isinstance(info, BackendInfo):
            raise PluginError(f"uml_backend_info() gave a {type(info).__name__}, not a BackendInfo")
        missing = {"uml_detect_backend", "uml_launch_worker"} - set(hooks)
        if missing:
            raise PluginError(f"a backend must also implement {', '.join(sorted(missing))}")
        if info.name in self._backends:
            raise _conflict(f"backend '{info.name}'", self._origin(self._backends[info.name]), origin)
        return info


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
    allowed, blocked = None if allow is None else frozenset(allow), frozenset(disabled)
    for entry in sorted(found, key=lambda entry: entry.name):
        _load_entry(plugins, entry, allow=allowed, disabled=blocked, strict=strict)
    plugins.formats(), plugins.stores(), plugins.tasks()  # a conflict is told now, not at the first use
    return plugins


def implementing(hook: str) -> tuple[str, ...]:
    """Name the entry points that this process has imported and that implement *hook*; nothing is imported for it."""
    found = [entry for entry in _entries(tuple(sys.path)) if entry.module in sys.modules]
    return tuple(sorted(entry.name for entry in found if _implements(entry, hook)))


@cache
def _entries(path: tuple[str, ...]) -> tuple[metadata.EntryPoint, ...]:  # noqa: ARG001
    """All entry points of plugins; to read them takes 5 ms, and what is installed later the next process loads."""
    return tuple(metadata.entry_points(group=GROUP))


def _implements(entry: metadata.EntryPoint, hook: str) -> bool:
    try:
        return hasattr(getattr(entry.load(), hook, None), f"{GROUP}_impl")
    except AttributeError:  # it names nothing in its module, and failed for that
        return False


def _load_entry(
    plugins: Plugins,
    entry: metadata.EntryPoint,
    *,
    allow: frozenset[str] | None,
    disabled: frozenset[str],
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
    try:
        plugins.register(entry.name, entry.load(), distribution=distribution)
    except PluginConflictError:
        raise
    except (Exception, SystemExit) as error:  # an import may raise anything, and some call sys.exit()
        log.warning("plugin '%s' of %s failed: %s", entry.name, distribution, error)
        if strict:
            raise PluginError(f"plugin '{entry.name}' of {distribution} failed: {error!r}") from error
        listed("failed", f"{type(error).__name__}: {error}")


def _check_object(plugin: object) -> None:
    version = getattr(plugin, "uml_api_version", None)
    if version is None:
        raise PluginError("declares no uml_api_version; it is not a UML plugin, or too old")
    if version != API_VERSION:
        raise PluginError(f"was written for api_version {version}; this UML has {API_VERSION}")
    if isinstance(plugin, type):
        raise PluginError(f"is the class {plugin.__name__}; the entry point must name a module or an instance")
    if plugin.__hash__ is None:
        raise PluginError(f"is a {type(plugin).__name__} without a hash; give the class eq=False")


def _hooks_of(manager: pluggy.PluginManager, plugin: object) -> dict[str, pluggy.HookImpl]:
    callers = manager.get_hookcallers(plugin) or []
    if unknown := [caller.name for caller in callers if not caller.has_spec()]:
        raise PluginError(f"implements unknown hooks: {', '.join(unknown)}")
    hooks = {caller.name: one for caller in callers for one in caller.get_hookimpls() if one.plugin is plugin}
    if not hooks:
        raise PluginError("implements no hook of UML (is @hookimpl missing?)")
    if awaited := [name for name, one in hooks.items() if _is_async(one.function)]:
        raise PluginError(f"hooks are synchronous, but these are async: {', '.join(awaited)}")
    if wrapped := [name for name, one in hooks.items() if _is_wrapper(one) and name not in ADDRESSED]:
        raise PluginError(f"only {', '.join(ADDRESSED)} can be wrapped, not {', '.join(wrapped)}")
    return hooks


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _is_wrapper(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper or implementation.hookwrapper


def _call(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def _records(hook: str, kind: type, implementation: pluggy.HookImpl) -> list[Any]:
    offered = _call(implementation, {})
    if not isinstance(offered, Iterable):
        raise PluginError(f"{hook}() gave a {type(offered).__name__}, not an iterable of {kind.__name__}")
    records = list(offered)
    for record in records:
        if not isinstance(record, kind):
            raise PluginError(f"{hook}() gave a {type(record).__name__}, not a {kind.__name__}")
    return records


def _conflict(claim: str, first: str, second: str) -> PluginConflictError:
    return PluginConflictError(
        f"{claim} is claimed by both {first} and {second}; uninstall one, or name it in UML_DISABLED_PLUGINS"
    )


def _task_key(task: Task) -> str | None:
    return f"path '{task.path}'" if task.claims is None else None
