"""Every error leaves as OpenAI's body, in one of two wrappings: a response, or a frame of a stream that has begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from uml_core.errors import BadRequestError, UMLError
from uml_core.supervisor.views import job_view
from uml_core.types import JobStatus

SUMMARY = ("id", "state", "progress")
"""What a request needs to know of the load that it waited for."""


def body_of(error: UMLError, *, job: JobStatus | Mapping[str, Any] | None = None) -> dict[str, Any]:
    """OpenAI's error body; ``detail`` has the further lines, if there are any, ``job`` the load that it is about.

    :param job: what failed, or its view, to be told in full; else the load that *error* knows of is told in short
    """
    said: dict[str, Any] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if error.detail:
        said["detail"] = list(error.detail)
    if job is not None:
        return {"error": said, "job": job_view(job) if isinstance(job, JobStatus) else job}
    if error.job is not None:
        whole = job_view(error.job)
        return {"error": said, "job": {name: whole[name] for name in SUMMARY}}
    return {"error": said}


def response_of(
    error: UMLError, *, job: JobStatus | Mapping[str, Any] | None = None
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the response that tells of *error*; *job* as in :func:`body_of`."""
    body = to_json(body_of(error, job=job))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if error.permanent:
        headers.append((b"x-should-retry", b"false"))  # the OpenAI clients obey it
    return error.status, headers, body


def frame_of(error: UMLError) -> bytes:
    """The last frame of a stream that fails; no ``[DONE]`` follows it."""
    body = body_of(error)
    if error.status >= 500:
        body["error"]["type"] = "server_error"
    return b"data: " + to_json(body) + b"\n\n"


def invalid_body(problems: Sequence[Mapping[str, Any]]) -> BadRequestError:
    """Say what a pydantic model found wrong with a body, about the first field only.

    :param problems: ``ValidationError.errors()``, each ``loc`` relative to the body
    """
    first = problems[0]
    same = [problem for problem in problems if problem["loc"][:1] == first["loc"][:1]]
    param = ".".join(str(part) for part in _place(same)) or None
    if first["type"] == "missing":
        return BadRequestError(f"'{param}' is missing", param=param)
    if first["type"] == "extra_forbidden":
        return BadRequestError(f"'{param}' is no field of this request", param=param)
    reasons = dict.fromkeys(_sentence(problem["msg"]) for problem in same)
    return BadRequestError(f"'{param or 'the body'}': {', or '.join(reasons)}", param=param)


def _place(problems: Sequence[Mapping[str, Any]]) -> list[str | int]:
    """What the places of all *problems* begin with: the field, without pydantic's names for the arms of a union."""
    place: list[str | int] = []
    for parts in zip(*(problem["loc"] for problem in problems), strict=False):
        if any(part != parts[0] for part in parts) or parts[0] == "[key]":
            break
        place.append(parts[0])
    return place


def _sentence(message: str) -> str:
    said = message.removeprefix("Value error, ").replace("Input should", "should", 1)
    return said[:1].lower() + said[1:]
