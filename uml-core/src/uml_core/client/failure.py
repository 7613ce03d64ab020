"""OpenAI's error body, read back into the error tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.errors import UMLError, class_of


def error_of(body: object, *, status: int, retry_after_s: int | None = None) -> UMLError:
    """The typed error that *body* tells of: by its code, else by the status, else a plain :class:`UMLError`.

    :param body: what came with the status, parsed; anything but an error body gives a sentence with the status
    :param status: the HTTP status of the answer, 500 for an error frame within a stream
    """
    said = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(said, Mapping):
        said = {"message": f"the answer was HTTP status {status} without a reason"}
    message, *detail = str(said.get("message") or f"HTTP status {status}").splitlines()
    code = said.get("code")
    if not isinstance(code, str):
        code = None
    kind = class_of(code, status) or UMLError
    return kind(
        message,
        detail=[*detail, *_detail_of(said)],
        code=code,
        param=said.get("param"),
        retry_after_s=retry_after_s,
    )


def _detail_of(said: Mapping[str, Any]) -> list[str]:
    detail = said.get("detail")
    return [str(line) for line in detail] if isinstance(detail, list) else []
