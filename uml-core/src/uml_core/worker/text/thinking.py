"""Whether and how much a model is to think, as the request says it."""

from __future__ import annotations

from typing import Any

from uml_core.worker.requests import ChatRequest


def template_arguments(request: ChatRequest) -> dict[str, Any]:
    """What the chat template may see of the request besides its messages and tools.

    :raises BadRequestError: ``chat_template_kwargs`` has something that is not on the list
    """
    raise NotImplementedError
