"""JSON to and from clients."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic_core import from_json, to_json

from uml_core.errors import BadRequestError


def json_response(value: object) -> Response:
    """A response of plain values, without the walk that FastAPI would make over them."""
    return Response(to_json(value), media_type="application/json")


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object of a body; nesting is bounded by the parser.

    :raises BadRequestError: it is no JSON, the message says where, or no object
    """
    try:
        body = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequestError(f"the body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object", code="invalid_json")
    return body
