"""What ``uml doctor`` looks at: each part of it stands whatever is wrong with the others."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from attrs import asdict

from uml_core import __version__
from uml_core.cli.checkup_backends import backends, idle_devices
from uml_core.cli.here import plugins_here
from uml_core.client import find_gateway
from uml_core.environments.facts import differences
from uml_core.host import probe_host
from uml_core.host.devices import find_devices
from uml_core.host.devices.unused import unused_cards
from uml_core.server.compose import registry_of
from uml_core.settings import settings_path

if TYPE_CHECKING:
    from uml_core.plugins import Plugins
    from uml_core.registry import Registry
    from uml_core.settings import Settings
    from uml_core.types import HostInfo

LOW_BYTES = 1 << 30
View = dict[str, Any]


def checkup(settings: Settings) -> View:
    """Look at everything; what somebody should do something about is in ``problems``, a sentence each."""
    host, plugins = probe_host(holders=True), plugins_here(settings, warn=False)
    registry = registry_of(settings, plugins)
    stores, unreadable = _stores(registry)
    ready = backends(plugins, registry, settings, host)
    data = _folder(settings.data_dir)
    devices = [*find_devices().problems, *_of_devices(host), *unused_cards(host.devices)]
    lacks = [*_of_plugins(plugins), *_of_backends(ready), *_of_environments(ready), *idle_devices(ready, host)]
    return {
        "uml": __version__,
        "python": {"version": platform.python_version(), "path": sys.executable},
        "machine": _machine(host),
        "memory": _memory(host),
        "devices": [asdict(device) for device in host.devices],
        "backends": ready,
        "stores": stores,
        "data": data,
        "settings": {"path": str(settings_path()), "exists": settings_path().exists()},
        "gateway": _gateway(settings),
        "problems": [*devices, *lacks, *unreadable, *_of_disk(data)],
    }


def _machine(host: HostInfo) -> View:
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": host.processor,
        "physical_cores": host.physical_cores,
        "logical_cores": host.logical_cores,
        "machine_logical_cores": psutil.cpu_count() or host.logical_cores,
        "isa": host.isa,
        "numa_nodes": host.numa_nodes,
        "limited": host.limited,
    }


def _memory(host: HostInfo) -> View:
    return {
        "total_bytes": host.memory_bytes,
        "free_bytes": host.free_memory_bytes,
        "machine_bytes": psutil.virtual_memory().total,
        "holders": [asdict(holder) for holder in host.holders],
    }


def _stores(registry: Registry) -> tuple[list[View], list[str]]:
    """How many models each store has, and the sentences of the places that can't be read."""
    listing = registry.listing()
    places = [place.store for model in listing.models for place in (model, *model.also)]
    stores = [{"name": name, "models": places.count(name)} for name in dict.fromkeys(places)]
    return stores, list(dict.fromkeys(problem.reason for problem in listing.problems))


def _folder(path: Path) -> View:
    """The folder, or the nearest one above it that is there: what UML writes goes on that disk."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    disk = shutil.disk_usage(there)
    return {
        "path": str(path),
        "exists": there == path,
        "writable": there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        "total_bytes": disk.total,
        "free_bytes": disk.free,
    }


def _gateway(settings: Settings) -> View | None:
    gateway = find_gateway(settings.run_folder / "gateway.json")
    return {"url": gateway.url, "pid": gateway.pid, "version": gateway.version} if gateway else None


def _of_devices(host: HostInfo) -> list[str]:
    return [f"{device.name} ({device.id}) can't be used: {device.problem}" for device in host.devices if device.problem]


def _of_plugins(plugins: Plugins) -> list[str]:
    failed = [card for card in plugins.cards if card.status == "failed"]
    return [f"the plugin '{card.name}' of {card.distribution} is not loaded: {card.reason}" for card in failed]


def _of_backends(ready: list[View]) -> list[str]:
    if not ready:
        return ["no backend is installed, so nothing can be loaded; pip install one, the README names them"]
    lacking = [one for one in ready if not one["ready"]]
    return [f"{one['name']}: {'; '.join(filter(None, (one['reason'], one['hint'])))}" for one in lacking]


def _of_environments(ready: list[View]) -> list[str]:
    return [difference for one in ready for difference in differences(one["name"], one["environment"])]


def _of_disk(data: View) -> list[str]:
    if not data["writable"]:
        return [f"'{data['path']}' can't be written; give write permission on it, or set UML_DATA_DIR"]
    low = data["free_bytes"] < LOW_BYTES
    return [f"the disk of '{data['path']}' is almost full; `uml list` shows what takes room"] if low else []
