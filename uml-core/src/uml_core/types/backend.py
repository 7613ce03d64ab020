"""What a backend says of itself and of one model."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from pydantic import BaseModel


@frozen(kw_only=True)
class BackendInfo:
    """A backend's card.

    ``formats`` are names of :class:`~uml_core.types.ModelFormat`, ``tasks`` are Hugging Face pipeline tags.
    ``options`` validates what may be asked for one load, also over HTTP, under the engine's own names;
    ``settings`` validates the plugin's table ``[plugins.<name>]`` of ``uml.toml``: paths, binaries, interpreters.
    ``engine`` is the pip requirement or program that the user installs to get the engine.
    """

    name: str
    formats: tuple[str, ...]
    tasks: tuple[str, ...]
    options: type[BaseModel]
    settings: type[BaseModel] | None = None
    engine: str = ""


class Level(enum.IntEnum):
    """How well a backend suits a model: made for the format, loads it, or only if nothing else does."""

    NATIVE = 100
    SUPPORTED = 50
    FALLBACK = 10


@frozen
class Match:
    """The backend can load the model here. ``tasks`` narrows the backend's tasks to what this model can do."""

    level: Level
    reason: str
    tasks: tuple[str, ...] | None = None


@frozen
class Rejected:
    """The model is this backend's, but it can't be loaded on this machine: why, and the way out."""

    reason: str
    hint: str = ""
