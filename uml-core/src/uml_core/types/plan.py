"""What a load will do, decided before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from uml_core.types.model import ModelSource


@frozen(kw_only=True)
class LoadRequest:
    """What somebody asked to load. ``options`` have the backend's own names, the other fields core's neutral ones.

    ``spin`` says whether idle threads of the worker wait busily; None leaves it to what was learned, or to the engine.
    """

    model: str
    backend: str | None = None
    context_length: int | None = None
    parallel: int | None = None
    threads: int | None = None
    spin: bool | None = None
    options: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Plan:
    """The whole decision for one load; holds no secret, and is what users see.

    ``context_length`` is in tokens a sequence, ``parallel`` counts sequences at once, ``threads`` counts CPU threads;
    ``spin`` says whether those wait busily, None as the engine does by itself.
    ``options`` and ``settings`` are the validated values of the backend's own models. ``reason`` says why this
    backend, ``rejected`` maps every backend that was not chosen to its sentence.
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

    def loads_same(self, other: Plan) -> bool:
        """Whether *other* would load the same files in the same way, for whatever reason it was made."""
        return _essence(self) == _essence(other)


def _essence(plan: Plan) -> tuple[object, ...]:
    how = (plan.backend, plan.context_length, plan.parallel, plan.threads, plan.spin, plan.options, plan.settings)
    return (plan.model_id, plan.model.path, plan.model.size_bytes, *how)
