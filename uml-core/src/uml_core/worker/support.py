"""What a request may ask for that not every engine can do. To ignore it would be to answer something else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from uml_core.errors import BadRequestError


def _is_more_than_one(value: object) -> bool:
    return value is not None and value != 1


def _is_format(value: object) -> bool:
    return bool(value) and value != {"type": "text"}


_NEVER: Mapping[str, Callable[[Any], bool]] = {
    "n": _is_more_than_one,
    "best_of": _is_more_than_one,
    "logprobs": lambda value: value is not None and value is not False,
    "tools": bool,
    "functions": bool,
}
"""Has no place in the answers that ``serve`` shapes."""

_IF_HONOURED: Mapping[str, Callable[[Any], bool]] = {
    "echo": bool,
    "grammar": bool,
    "json_schema": bool,
    "logit_bias": bool,
    "response_format": _is_format,
    "suffix": bool,
}


def check_supported(extra: Mapping[str, Any], honours: Collection[str]) -> None:
    """Refuse what would be ignored.

    :param extra: the request's further fields
    :param honours: those of them that the engine says it acts upon
    :raises BadRequestError: ``param`` names the first field that can't be honoured
    """
    if extra.get("tool_choice") == "none":
        extra = {name: value for name, value in extra.items() if name != "tools"}
    checks = {**_NEVER, **{name: asks for name, asks in _IF_HONOURED.items() if name not in honours}}
    for name, asks in checks.items():
        if name in extra and asks(extra[name]):
            raise BadRequestError(
                f"this backend can't honour '{name}'; leave it out or use another backend", param=name
            )
