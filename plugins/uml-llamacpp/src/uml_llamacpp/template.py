"""From a chat to the prompt that the model was trained on, by the template in its own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from uml_core.errors import BadRequestError, TaskNotSupportedError
from uml_llamacpp.model import Model


class ChatTemplate:
    """The model's own template, run in jinja's sandbox; a model without one can't chat."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._formatter = (
            Jinja2ChatFormatter(template=model.template, eos_token=model.eos, bos_token=model.bos)
            if model.template
            else None
        )

    def tokens(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """The prompt for the assistant's next turn.

        :raises TaskNotSupportedError: the model has no template
        :raises BadRequestError: the template refuses the messages
        """
        if self._formatter is None:
            raise TaskNotSupportedError(
                "this model has no chat template: it goes on with a text; ask /v1/completions", param="messages"
            )
        try:
            prompt = self._formatter(messages=list(messages)).prompt
        except Exception as error:  # noqa: BLE001 - a template is a program of the model's author
            raise BadRequestError(
                f"the model's chat template refuses these messages: {error}", param="messages"
            ) from None
        written = bool(self._model.bos) and prompt.startswith(self._model.bos)
        return self._model.tokenize(prompt, add_special=not written)
