"""What a request may ask for that not every engine can do. To ignore it would be to answer something else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from uml_core.errors import BadRequestError
from uml_core.worker.requests import GenerationRequest


def _is_format(value: object) -> bool:
    return bool(value) and value != {"type": "text"}


_IF_HONOURED: Mapping[str, Callable[[Any], bool]] = {
    "chat_template_kwargs": bool,
    "echo": bool,
    "functions": bool,
    "grammar": bool,
    "json_schema": bool,
    "logit_bias": bool,
    "regex": bool,
    "response_format": _is_format,
    "suffix": bool,
    "tools": bool,
}


def check_supported(request: GenerationRequest, honours: Collection[str]) -> None:
    """Refuse what would be ignored.

    :param honours: the fields that the engine says it acts upon
    :raises BadRequestError: ``param`` names the first field that can't be honoured
    """
    for name in _asked(request):
        if name not in honours:
            raise BadRequestError(
                f"this backend can't honour '{name}'; leave it out or use another backend", param=name
            )


def _asked(request: GenerationRequest) -> list[str]:
    extra = request.extra
    names = [name for name, asks in _IF_HONOURED.items() if name in extra and asks(extra[name])]
    if extra.get("tool_choice") == "none":
        names = [name for name in names if name != "tools"]
    if extra.get("best_of") not in (None, request.n):
        names.append("best_of")
    return names if request.logprobs is None else [*names, "logprobs"]
