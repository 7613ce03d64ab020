"""OpenAI's error body, and the cause of a job, read back into the error tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.errors import InternalServerError, ModelLoadError, RequestCancelledError, UMLError, class_of

NO_STATUS = 0


def error_of(body: object, *, status: int, retry_after_s: int | None = None) -> UMLError:
    """The typed error that *body* tells of: by its code, else by the status, else a plain :class:`UMLError`.

    If it tells of a job too, that is the error's ``job``.

    :param body: what came with the status, parsed; anything but an error body gives a sentence with the status
    :param status: the HTTP status of the answer, 500 for an error frame within a stream
    """
    said = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(said, Mapping):
        said = {"message": f"the answer was HTTP status {status} without a reason"}
    error = _error(said, class_of(_code_of(said), status) or UMLError, otherwise=f"HTTP status {status}")
    error.retry_after_s = retry_after_s
    error.job = body.get("job") if isinstance(body, Mapping) else None
    return error


def cause_of(job: Mapping[str, Any]) -> UMLError:
    """Why that job did not do what it was for, as the class of its cause; its view is the error's ``job``.

    :param job: the view of a job that has ended in another state than ``committed``
    """
    said = job.get("cause")
    failed = InternalServerError if job.get("kind") == "scan" else ModelLoadError
    kind: type[UMLError] = RequestCancelledError if job.get("state") == "cancelled" else failed
    if not isinstance(said, Mapping):
        said = {"message": f"{name_of(job)} ended as '{job.get('state')}' without a reason; `uml logs` may have one"}
    status = said.get("status") or kind.status
    known = class_of(_code_of(said), NO_STATUS if status == kind.status else status)  # 500 says less than kind does
    error = _error(said, known or kind)
    error.job = job
    return error


def name_of(job: Mapping[str, Any]) -> str:
    """``the load of 'model'``."""
    if job.get("kind") == "scan":
        return "the scan of the models"
    return f"the {job.get('kind') or 'load'} of '{job.get('model') or job.get('previous')}'"


def _error(said: Mapping[str, Any], kind: type[UMLError], *, otherwise: str = "no reason was given") -> UMLError:
    message, *detail = str(said.get("message") or otherwise).splitlines()
    return kind(message, detail=[*detail, *_detail_of(said)], code=_code_of(said), param=said.get("param"))


def _code_of(said: Mapping[str, Any]) -> str | None:
    code = said.get("code")
    return code if isinstance(code, str) else None


def _detail_of(said: Mapping[str, Any]) -> list[str]:
    detail = said.get("detail")
    return [str(line) for line in detail] if isinstance(detail, list) else []
