"""The engine's own error, read into the error tree: whatever an engine says, clients see OpenAI's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from uml_core.errors import BadRequestError, InternalServerError, UMLError, class_of

LONGEST_MESSAGE = 2000
WAY_OUT = {
    "context_length_exceeded": "; shorten the prompt, or load the model with a larger `context_length` "
    "(`uml load MODEL --context-length N`)",
}
"""What an engine can't know: how its user raises the limit here. Worth nothing where a model's own limit is met."""


def error_of(data: bytes, *, status: int, codes: Mapping[str, str]) -> UMLError:
    """The error that an engine's answer tells of.

    :param data: the body, or the JSON of an error frame; anything else gives a sentence with the status
    :param status: the HTTP status that it came with, 500 within a stream
    :param codes: the engine's own error types, or words of its messages, and the OpenAI codes that they mean
    """
    said = _error_in(data)
    status = _status(said, status)
    message = str(said.get("message") or f"the engine answered with status {status} and gave no reason")
    code = _known(said, message, codes) or _code(said)
    kind = class_of(code, status) or (BadRequestError if status < 500 else InternalServerError)
    message = message[:LONGEST_MESSAGE] + ("" if "; shorten" in message else WAY_OUT.get(code, ""))
    param = said.get("param")
    retry_after_s = 1 if kind.status == 503 else None
    return kind(
        message,
        code=code or None,
        param=param if isinstance(param, str) else None,
        retry_after_s=retry_after_s,
    )


def _error_in(data: bytes) -> Mapping[str, Any]:
    try:
        body = from_json(data)
    except ValueError:
        return {}
    said = body.get("error") if isinstance(body, dict) else None
    if isinstance(said, str):
        return {"message": said}
    return said if isinstance(said, dict) else {}


def _status(said: Mapping[str, Any], status: int) -> int:
    """llama.cpp writes the status as a number into ``code``; a worker that refuses our token is our own fault."""
    code = said.get("code")
    if status == 500 and isinstance(code, int) and 400 <= code < 600:
        status = code
    return 500 if status in {401, 403, 407} else status


def _known(said: Mapping[str, Any], message: str, codes: Mapping[str, str]) -> str:
    """What the backend says of this type of error, or of words in its message: those have a space in them."""
    words = (code for sign, code in codes.items() if " " in sign and sign in message)
    return codes.get(str(said.get("type"))) or next(words, "")


def _code(said: Mapping[str, Any]) -> str:
    code = said.get("code")
    return code if isinstance(code, str) and code.isidentifier() and code != "invalid_api_key" else ""
