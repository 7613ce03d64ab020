"""What a load will do, decided before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from uml_core.types.memory import MemoryPlan
from uml_core.types.model import ModelSource


@frozen(kw_only=True)
class LoadRequest:
    """What somebody asked to load. ``options`` have the backend's own names, the other fields core's neutral ones.

    ``spin`` says whether idle threads of the worker wait busily; None leaves it to what was learned, or to the engine.
    ``device`` is where the layers go: ``cpu``, an id such as ``cuda:1``, or a kind such as ``cuda``. ``cache_type`` is
    the number type of the cache (``f16``, ``q8_0`` …). ``force``: load it although the plan says that it doesn't fit.
    """

    model: str
    backend: str | None = None
    context_length: int | None = None
    parallel: int | None = None
    threads: int | None = None
    spin: bool | None = None
    device: str | None = None
    cache_type: str | None = None
    force: bool = False
    options: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Placement:
    """Where the parts of a model go, and how its cache is kept: in core's words, for what memory depends on.

    ``devices`` are the ids of the accelerators that get layers, in their order; none is the machine's own memory
    alone. ``gpu_layers`` counts what lies on them from the end on, as llama.cpp does: 1 is the output layer alone,
    each further one a block, and one more than there are blocks is all. Of the first ``cpu_experts`` blocks the
    experts stay in the machine's memory. ``split`` has the share of each device. ``cache_type_k`` and
    ``cache_type_v`` are number types as llama.cpp calls them, ``batch`` tokens are computed at once. ``mapped``:
    the files are mapped into memory, not read. ``full_window``: layers with a sliding window keep everything.
    ``cache_on_device``: the cache lies where its layer does.
    """

    devices: tuple[str, ...] = ()
    gpu_layers: int = 0
    cpu_experts: int = 0
    split: tuple[float, ...] = ()
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    batch: int = 512
    flash_attention: bool | None = None
    mapped: bool = True
    full_window: bool = False
    cache_on_device: bool = True


@frozen(kw_only=True)
class Decision:
    """One decision of a plan: ``what`` was decided (``context_length``, ``gpu_layers`` …), the value, and why.

    ``pinned``: somebody said so, and it was not changed.
    """

    what: str
    value: str
    reason: str
    pinned: bool = False


@frozen(kw_only=True)
class Plan:
    """The whole decision for one load; holds no secret, and is what users see.

    ``context_length`` is in tokens a sequence, ``parallel`` counts sequences at once, ``threads`` counts CPU threads;
    ``spin`` says whether those wait busily, None as the engine does by itself.
    ``options`` and ``settings`` are the validated values of the backend's own models. ``reason`` says why this
    backend, ``rejected`` maps every backend that was not chosen to its sentence. ``placement`` is what ``options`` say
    of it in core's words, ``decisions`` why everything is as it is; ``memory`` is what it takes, None where nobody
    planned it.
    """

    model_id: str
    model: ModelSource
    backend: str
    tasks: tuple[str, ...]
    context_length: int
    parallel: int = 1
    threads: int = 1
    spin: bool | None = None
    options: Mapping[str, Any] = field(factory=dict)
    settings: Mapping[str, Any] = field(factory=dict)
    reason: str = ""
    rejected: Mapping[str, str] = field(factory=dict)
    placement: Placement = Placement()
    decisions: tuple[Decision, ...] = ()
    memory: MemoryPlan | None = None

    def loads_same(self, other: Plan) -> bool:
        """Whether *other* would load the same files in the same way, for whatever reason it was made."""
        return _essence(self) == _essence(other)


def _essence(plan: Plan) -> tuple[object, ...]:
    how = (plan.backend, plan.context_length, plan.parallel, plan.threads, plan.spin, plan.options, plan.settings)
    return (plan.model_id, plan.model.path, plan.model.size_bytes, *how)
