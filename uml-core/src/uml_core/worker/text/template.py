"""The model's own chat template, rendered in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uml_core.types import Plan
from uml_core.worker.text.tokenizer import Tokenizer


class ChatTemplate:
    """A chat template, which is a program of the model's author: it runs where it can be killed."""

    @classmethod
    def of(cls, tokenizer: Tokenizer, plan: Plan) -> ChatTemplate | None:
        """The model's template, None if it has none; the process that renders is being started."""
        raise NotImplementedError

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """The prompt for the assistant's next turn.

        :raises BadRequestError: the template refuses the messages, or takes too long or too much memory with them
        """
        raise NotImplementedError

    def close(self) -> None:
        """End the process."""
