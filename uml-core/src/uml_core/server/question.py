"""A request that was found good, on its way to a worker."""

from __future__ import annotations

from hashlib import blake2b
from typing import Self

from attrs import frozen
from pydantic import BaseModel

from uml_core.types import LoadRequest, Task

FINGERPRINT_BYTES = 16


@frozen(kw_only=True)
class Question:
    """What is asked of which model. ``fingerprint`` tells whether the same was asked before."""

    task: Task
    request: BaseModel
    load: LoadRequest
    fingerprint: bytes
    wants_usage: bool

    @classmethod
    def of(cls, task: Task, request: BaseModel, *, model: str, raw: bytes, wants_usage: bool) -> Self:
        """Take a request as it was validated, and *raw* as it came."""
        return cls(
            task=task,
            request=request,
            load=LoadRequest(model=model),
            fingerprint=blake2b(raw, digest_size=FINGERPRINT_BYTES, key=task.path.encode()[:64]).digest(),
            wants_usage=wants_usage,
        )
