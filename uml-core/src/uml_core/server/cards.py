"""Models and plugins as ``GET /models``, ``GET /plugins``, ``uml list`` and ``uml plugins`` show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import asdict

from uml_core.errors import SettingsError
from uml_core.plugins import PluginCard
from uml_core.server.catalog import Entry
from uml_core.server.loaded import status_of
from uml_core.types import BackendInfo, ModelCard, Profile, StoredModel, Usage

if TYPE_CHECKING:
    from uml_core.registry import Registry
    from uml_core.settings import Settings
    from uml_core.supervisor import Active

FACTS = (
    "kind",
    "format",
    "architecture",
    "parameters",
    "quantization",
    "bits_per_weight",
    "context_length",
    "license",
    "modalities",
    "tasks",
    "complete",
    "missing",
    "hazards",
)
BEST = ("backend", "decode_tokens_per_s", "first_token_s", "load_s", "memory_bytes")


class Cards:
    """Makes the cards of one listing; nothing in them tells where on the disk a model lies."""

    def __init__(self, registry: Registry, settings: Settings, *, active: Active | None = None) -> None:
        """Look up what all of them need.

        :param active: what is in the slot
        """
        self._records = registry.records
        self._settings = settings
        self._active = active
        self._aliases: dict[str, list[str]] = {}
        for alias, model_id in registry.aliases.items():
            self._aliases.setdefault(model_id, []).append(alias)

    def of(self, entry: Entry) -> dict[str, Any]:
        """One model, with what is known of it or why it can't be read."""
        model, card, usage = entry.model, entry.card, self._records.usage(entry.model.id)
        said: dict[str, Any] = {
            "id": model.id,
            "name": model.model_name,
            "variant": model.variant,
            "store": model.store,
            "also": [{"store": other.store, "id": other.id} for other in model.also],
            "size_bytes": model.size_bytes if card is None else card.size_bytes,
        }
        said |= {fact: getattr(card, fact, None) for fact in FACTS}
        said |= {
            "needs_bytes": self._needs_bytes(model, card),
            "pinned": model.id in self._records.pins,
            "aliases": sorted(self._aliases.get(model.id, ())),
            "usage": _usage(usage),
            "profile": _expected(self._records.profiles(model.id)),
            "status": status_of(model.id, self._active),
        }
        if entry.error is not None:
            said["error"] = entry.error.message
        if entry.pending:
            said["pending"] = True
        return said

    @cached_property
    def _usual_context(self) -> int:
        """Tokens that a load aims for of which nobody says anything."""
        from uml_core.host.devices import known_devices
        from uml_core.planning.memory_profile import usual_context

        return self._settings.context_length or usual_context(known_devices().devices, self._settings)

    def _needs_bytes(self, model: StoredModel, card: ModelCard | None) -> int | None:
        """What loading it as it is usually loaded takes, about; only of what can be loaded."""
        if card is None or card.kind != "model":
            return None
        from uml_core.planning.needs import needs_bytes

        own = self._settings.models.get(model.id)
        asked = (own.context_length if own else None) or self._usual_context
        return needs_bytes(card, context_length=min(card.context_length or asked, asked))


def profile_view(profile: Profile) -> dict[str, Any]:
    """One measurement, whole."""
    said = asdict(profile, recurse=False)
    return {**said, "options": dict(profile.options), "measured": _time(profile.measured)}


def _expected(profiles: Sequence[Profile]) -> dict[str, Any] | None:
    """How the model would do on this machine, as far as it was measured here."""
    if not profiles:
        return None
    from uml_core.host import probe_host
    from uml_core.host.machine import machine_name
    from uml_core.planning.measured import expected
    from uml_core.planning.threads import default_pair

    here = [profile for profile in profiles if profile.machine == machine_name()]
    profile = expected(here, default=default_pair(probe_host(devices=False)))
    return None if profile is None else {fact: getattr(profile, fact) for fact in BEST}


def _usage(usage: Usage) -> dict[str, Any]:
    last = max(filter(None, (usage.last_used, usage.last_loaded)), default=None)
    return {"loads": usage.loads, "requests": usage.requests, "last_used": _time(last)}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")


def plugin_card(card: PluginCard, settings: Settings) -> dict[str, Any]:
    """One plugin; of a backend also what it loads, which options it takes as a JSON schema, and what it runs in.

    Another Python is asked for that in a child process, so this may take a moment.
    """
    backend = card.backend
    described = None
    if backend is not None:
        described = {
            "name": backend.name,
            "formats": backend.formats,
            "tasks": backend.tasks,
            "engine": backend.engine,
            "options": backend.options.model_json_schema(),
            "environment": _environment(card, backend, settings),
        }
    return {**asdict(card, recurse=False), "backend": described}


def without_places(card: dict[str, Any]) -> dict[str, Any]:
    """A plugin's card that doesn't tell where on the disk its workers' Python lies: for whoever asks over HTTP."""
    environment = (card["backend"] or {}).get("environment")
    if environment is None:
        return card
    told = {name: value for name, value in environment.items() if name != "interpreter"}
    told["problem"] = environment["problem"].replace(f" '{environment.get('interpreter')}'", "")
    return {**card, "backend": {**card["backend"], "environment": told}}


def _environment(card: PluginCard, backend: BackendInfo, settings: Settings) -> dict[str, Any]:
    from uml_core.environments.facts import environment
    from uml_core.planning.options import plugin_settings

    try:
        table = plugin_settings(backend, settings)
    except SettingsError as error:
        return {"problem": error.message}
    return environment(card, table, data_dir=settings.data_dir)
