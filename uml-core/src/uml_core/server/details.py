"""Everything that is known of one model, as ``GET /models/{id}`` and ``uml show`` tell it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.registry.card_json import shape_to_json
from uml_core.types import Match

if TYPE_CHECKING:
    from uml_core.planning import Planner
    from uml_core.types import ModelSource, Rejected, StoredModel

NO_SOURCE: dict[str, Any] = {
    "has_tokenizer": None,
    "has_chat_template": None,
    "shape": None,
    "files": [],
    "companions": [],
    "backends": [],
}
"""What is told of a model whose files can't be read."""


def source_details(source: ModelSource) -> dict[str, Any]:
    """What only its files say: the dimensions, and each file by name."""
    return {
        "has_tokenizer": source.has_tokenizer,
        "has_chat_template": source.has_chat_template,
        "shape": shape_to_json(source.shape) if source.shape else None,
        "files": [_file(file, source.path) for file in source.files],
        "companions": [_file(file, source.path) for file in source.companions],
    }


def backends_of(planner: Planner, model: StoredModel, source: ModelSource) -> list[dict[str, Any]]:
    """What each backend says of the model: the best first, at the end those that can't load it."""
    from uml_core.host import probe_host
    from uml_core.planning.measured import profiles_here, speeds
    from uml_core.planning.selection import candidates
    from uml_core.planning.threads import default_pair

    host = probe_host()
    measured = speeds(profiles_here(planner.registry, model.id, source), default=default_pair(host))
    found = candidates(planner.plugins, source, host=host, settings=planner.settings, speeds=measured)
    return [{"name": one.name, "level": _level(one.answer), "reason": one.reason} for one in found]


def _level(answer: Match | Rejected) -> str | None:
    return answer.level.name.lower() if isinstance(answer, Match) else None


def _file(file: Path, model: Path) -> dict[str, Any]:
    """A file by its name within the model's folder; where that lies stays on this machine."""
    folder = model if model.is_dir() else model.parent
    name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name
    try:
        return {"name": name, "size_bytes": file.stat().st_size}
    except OSError:
        return {"name": name, "size_bytes": None}
