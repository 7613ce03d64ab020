"""Models and plugins as ``GET /models``, ``GET /plugins``, ``uml list`` and ``uml plugins`` show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import asdict

from uml_core.plugins import PluginCard
from uml_core.server.catalog import Entry
from uml_core.server.loaded import status_of

if TYPE_CHECKING:
    from uml_core.supervisor import Active

FACTS = ("kind", "format", "architecture", "parameters", "quantization", "context_length", "license")


def model_card(entry: Entry, active: Active | None = None) -> dict[str, Any]:
    """One model, with what its header says or why that can't be read; its path stays on this machine."""
    model = entry.model
    card: dict[str, Any] = {"id": model.id, "store": model.store, "size_bytes": model.size_bytes}
    card |= {fact: getattr(entry.source, fact, None) for fact in FACTS}
    card["status"] = status_of(model.id, active)
    if entry.error is not None:
        card["error"] = entry.error.message
    return card


def plugin_card(card: PluginCard) -> dict[str, Any]:
    """One plugin; of a backend also what it loads and which options it takes, as a JSON schema."""
    backend = card.backend
    described = None
    if backend is not None:
        described = {
            "name": backend.name,
            "formats": backend.formats,
            "tasks": backend.tasks,
            "engine": backend.engine,
            "options": backend.options.model_json_schema(),
        }
    return {**asdict(card, recurse=False), "backend": described}
