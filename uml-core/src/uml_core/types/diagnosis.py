"""Why a worker ended, in words that a user can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import field, frozen

if TYPE_CHECKING:
    from uml_core.types.plan import Plan


@frozen(kw_only=True)
class Diagnosis:
    """What went wrong with a worker.

    ``code`` is the OpenAI-style code of the error (``insufficient_memory``, ``invalid_model_file``, ``missing_engine``,
    ``unsupported_architecture``, ``driver_mismatch``, ``port_in_use``, ``load_timeout``, ``worker_timeout``,
    ``worker_killed``, ``worker_crashed``, ``model_load_failed``). ``message`` is one sentence: the model in quotes,
    what is wrong, and the way out. ``suggestion`` has load options that would fit, under the names that a load request
    takes (``context_length``, ``parallel``, or an option of the backend). ``deterministic`` says that the same load
    will fail again. ``evidence`` is the line of the worker's log that says so, if one does.
    """

    code: str
    message: str
    suggestion: Mapping[str, Any] = field(factory=dict)
    deterministic: bool = False
    evidence: str = ""

    @classmethod
    def of_load(cls, plan: Plan, code: str, because: str, way_out: str, **rest: Any) -> Self:
        """Of a load of *plan* that will fail again: *because* of what, and the *way_out*, each part of one sentence."""
        message = f"'{plan.model_id}' could not be loaded: {because}; {way_out}"
        return cls(code=code, message=message, deterministic=True, **rest)
