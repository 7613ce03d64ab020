"""What a backend says of itself and of one model."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from uml_core.types.device import DeviceKind

if TYPE_CHECKING:
    from pydantic import BaseModel


Knob = Literal[
    "gpu_layers",
    "cpu_experts",
    "split",
    "main_device",
    "cache_type_k",
    "cache_type_v",
    "batch",
    "flash_attention",
    "mapped",
    "full_window",
    "cache_on_device",
]
"""What the planner may decide for an engine; the meanings are those of :class:`~uml_core.types.Placement`."""


@frozen(kw_only=True)
class BackendInfo:
    """A backend's card.

    ``formats`` are names of :class:`~uml_core.types.ModelFormat`, ``tasks`` are Hugging Face pipeline tags.
    ``options`` validates what may be asked for one load, also over HTTP, under the engine's own names; where a load is
    planned, ``info.context["settings"]`` of its validators is the validated table, to refuse what can't work here;
    ``settings`` validates the plugin's table ``[plugins.<name>]`` of ``uml.toml``: paths, binaries, interpreters.
    ``engine`` is the pip requirement or program that the user installs to get the engine. ``knobs`` names the option
    behind each thing that the planner may decide (``{"gpu_layers": "n_gpu_layers"}``): it reads there what the user
    said, and writes there what it decided. ``parallel`` is the most sequences at once, None if there is no bound.
    """

    name: str
    formats: tuple[str, ...]
    tasks: tuple[str, ...]
    options: type[BaseModel]
    settings: type[BaseModel] | None = None
    engine: str = ""
    knobs: Mapping[Knob, str] = field(factory=dict)
    parallel: int | None = None


class Level(enum.IntEnum):
    """How well a backend suits a model: made for the format, loads it, or only if nothing else does."""

    NATIVE = 100
    SUPPORTED = 50
    FALLBACK = 10


@frozen
class Match:
    """The backend can load the model here.

    ``tasks`` narrows the backend's tasks to what this model can do. ``devices`` are the kinds of accelerators that the
    engine, as it is installed, can use.
    """

    level: Level
    reason: str
    tasks: tuple[str, ...] | None = None
    devices: tuple[DeviceKind, ...] = ()


@frozen
class Rejected:
    """The model is this backend's, but it can't be loaded on this machine: why, and the way out."""

    reason: str
    hint: str = ""
