"""The tools that a request offers, and how freely the model may choose among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from uml_core.worker.requests import ChatRequest


@frozen
class Tool:
    """A function that the model may call; ``parameters`` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@frozen
class ToolUse:
    """``tools`` are those that may be called now; ``required``: at least one must be; ``parallel``: several may be."""

    tools: tuple[Tool, ...] = ()
    required: bool = False
    parallel: bool = True

    @classmethod
    def read(cls, request: ChatRequest) -> ToolUse:
        """Take ``tools``, ``tool_choice`` and ``parallel_tool_calls`` out of the request.

        :raises BadRequestError: one of them has a value that it can't have
        """
        raise NotImplementedError
