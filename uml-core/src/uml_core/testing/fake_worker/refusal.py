"""How an answer ends that is none."""

from __future__ import annotations

from typing import Any


class Ended(Exception):
    """The answer ends here, without its usual end."""


class RefusedError(Exception):
    """The request gets an error body."""

    def __init__(self, status: int, message: str, code: str, type: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, dict[str, Any]] = {
            "error": {"message": message, "type": type, "param": None, "code": code}
        }


def too_long(size: int, limit: int, *, foreign: bool) -> RefusedError:
    """What a prompt over the context gets; *foreign* words it as an engine with names of its own does."""
    message = f"the prompt has {size} tokens, but the context holds {limit}"
    if not foreign:
        return RefusedError(400, message, "context_length_exceeded")
    refused = RefusedError(400, message, "", "exceed_context_size_error")
    refused.body["error"] = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return refused
