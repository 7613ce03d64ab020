"""What a projector that only the store knows of adds to its model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import evolve

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.inspection.gguf.nature import FROM_MEDIA
from uml_core.types import ModelFormat, ModelSource


def joined(source: ModelSource, companions: Iterable[Path], formats: Sequence[ModelFormat]) -> ModelSource:
    """*source* with the *companions* that its reader could not know of: Ollama's have no name that tells."""
    new = [path for path in dict.fromkeys(companions) if path not in source.companions]
    media = [medium for path in new for medium in _media(path, formats) if medium not in source.modalities]
    tasks = [FROM_MEDIA[medium] for medium in media if medium in FROM_MEDIA]
    return evolve(
        source,
        companions=(*source.companions, *new),
        modalities=tuple(dict.fromkeys((*source.modalities, *media))),
        tasks=tuple(dict.fromkeys((*tasks, *source.tasks))),
    )


def _media(path: Path, formats: Sequence[ModelFormat]) -> tuple[str, ...]:
    try:
        companion = inspect(path, formats)
    except InvalidModelFileError:  # the model can be used without it
        return ()
    return companion.modalities if companion.kind == "projector" else ()
