"""How a model did on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import field, frozen


@frozen(kw_only=True)
class Profile:
    """One measurement of one model with one backend, its options and this machine.

    Times are in seconds, speeds in tokens a second, medians of ``runs``. ``spin`` says whether idle threads wait
    busily, None as the engine does by itself; ``busy`` that another process used a core meanwhile. ``model_bytes``
    tells a file that was replaced; ``machine`` names processor, cores and devices. ``memory_bytes`` is what the worker
    held when it had answered, ``device_bytes`` what of it on accelerators.
    """

    model_id: str
    model_bytes: int
    backend: str
    engine: str
    machine: str
    threads: int
    spin: bool | None = None
    busy: bool = False
    context_length: int
    parallel: int = 1
    options: Mapping[str, Any] = field(factory=dict)
    load_s: float | None = None
    first_token_s: float | None = None
    prompt_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    memory_bytes: int | None = None
    device_bytes: int | None = None
    runs: int = 1
    source: Literal["bench", "served"] = "bench"
    measured: datetime


@frozen(kw_only=True)
class Usage:
    """How often a model was used, and when last; times in UTC."""

    loads: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last_loaded: datetime | None = None
    last_used: datetime | None = None
