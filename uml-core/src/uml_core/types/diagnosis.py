"""Why a worker ended, in words that a user can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


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
