"""Which backends could load something here, and what the others lack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.environments.facts import environment
from uml_core.errors import SettingsError, UMLError
from uml_core.planning.detection import detect
from uml_core.planning.options import plugin_settings
from uml_core.types import Match, ModelSource, Rejected

if TYPE_CHECKING:
    from uml_core.plugins import Plugins
    from uml_core.registry import Registry
    from uml_core.settings import Settings
    from uml_core.types import BackendInfo, HostInfo

MOST = 3
"""So many models of this machine a backend is asked about, if it would not have one that isn't there."""
NAMES = {"cuda": "CUDA", "rocm": "ROCm", "metal": "Metal", "vulkan": "Vulkan"}


def backends(plugins: Plugins, registry: Registry, settings: Settings, host: HostInfo) -> list[dict[str, Any]]:
    """What each says: ``ready`` or the ``reason`` and the ``hint``, the kinds of ``devices`` that it can use.

    ``environment`` is what its workers run in.
    """
    return [_told(plugins, registry, settings, host, info) for _, info in sorted(plugins.backends.items())]


def _told(
    plugins: Plugins, registry: Registry, settings: Settings, host: HostInfo, info: BackendInfo
) -> dict[str, Any]:
    answer = _answer(plugins, registry, settings, host, info)
    ready = isinstance(answer, Match)
    devices = answer.devices if isinstance(answer, Match) else ()
    return {
        "name": info.name,
        "ready": ready,
        "reason": answer.reason,
        "hint": answer.hint if isinstance(answer, Rejected) else "",
        "engine": info.engine,
        "formats": info.formats,
        "tasks": info.tasks,
        "devices": devices,
        "idle_devices": [kind for kind in usable_kinds(host) if kind not in devices] if ready else [],
        "environment": _environment(plugins, info, settings),
    }


def _environment(plugins: Plugins, info: BackendInfo, settings: Settings) -> dict[str, Any]:
    card = next(card for card in plugins.cards if card.backend is info)
    try:
        return environment(card, plugin_settings(info, settings), data_dir=settings.data_dir)
    except SettingsError as error:
        return {"problem": error.message}


def _answer(
    plugins: Plugins, registry: Registry, settings: Settings, host: HostInfo, info: BackendInfo
) -> Match | Rejected:
    """What the backend says of a model that has nothing wrong with it: what it lacks is its engine, then."""
    first: Match | Rejected | None = None
    try:
        table = plugin_settings(info, settings)
    except UMLError as error:
        return Rejected(error.message)
    for model in _samples(registry, info):
        answer = detect(plugins, info.name, model=model, host=host, settings=table)
        if isinstance(answer, Match):
            return answer
        first = first or answer
    return first or Rejected("it reads no format", hint="tell its makers")


def _samples(registry: Registry, info: BackendInfo) -> Iterator[ModelSource]:
    """A model for each format that is in no file; then real ones, should it want to know more than that."""
    for format in info.formats:
        yield ModelSource(path=Path(f"model.{format}"), format=format, files=(), size_bytes=0, tasks=info.tasks)
    found = 0
    for stored in registry.models():
        card = registry.known(stored)
        if found < MOST and not isinstance(card, UMLError) and card is not None and card.format in info.formats:
            found += 1
            try:
                yield registry.source(stored)
            except UMLError:  # it is told where models are told
                continue


def usable_kinds(host: HostInfo) -> list[str]:
    """The kinds of the accelerators that nothing is wrong with."""
    return sorted({device.kind for device in host.devices if not device.problem})


def idle_devices(told: list[dict[str, Any]], host: HostInfo) -> list[str]:
    """The sentence about backends that leave every accelerator idle, if there is none for the same format that doesn't.

    :param told: what :func:`backends` gave
    """
    usable, ready = set(usable_kinds(host)), [one for one in told if one["ready"]]
    served = {format for one in ready if usable & set(one["devices"]) for format in one["formats"]}
    idle = [one for one in ready if usable and not served & set(one["formats"])]
    if not idle:
        return []
    names = " or ".join(NAMES.get(kind, kind) for kind in sorted(usable))
    *first, last = [f"{one['name']} ({one['engine'] or 'its engine'})" for one in idle]
    called = f"{', '.join(first)} and {last}" if first else last
    return [f"{called} can't use {names} as installed, so the CPU does the work; install a build for {names}"]
