"""JSON on the wire, whole and as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from uml_core.errors import UMLError

DONE = "data: [DONE]\n\n"
quote = json.encoder.encode_basestring_ascii


def encode(body: Mapping[str, Any]) -> str:
    """JSON in ASCII has no line break, so no text can end an event or begin another."""
    return json.dumps(body, separators=(",", ":"))


def event(body: Mapping[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {encode(body)}\n\n"


def error_body(error: UMLError) -> dict[str, Any]:
    """OpenAI's body for an error."""
    return {"error": {"message": str(error), "type": error.type, "param": error.param, "code": error.code}}
