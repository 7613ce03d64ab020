"""The model's own chat template, rendered in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uml_core.types import Plan
from uml_core.worker.text.messages import for_template
from uml_core.worker.text.template_process import TemplateProcess
from uml_core.worker.text.tokenizer import Tokenizer

_CHARACTERS_A_TOKEN = 16
"""More than a prompt that fits into the context has on average."""
_SHORTEST_LIMIT = 1 << 20


class ChatTemplate:
    """A chat template, which is a program of the model's author: it runs where it can be killed."""

    def __init__(self, templates: Mapping[str, str], names: Mapping[str, str], *, longest: int) -> None:
        """Start the process that renders.

        :param templates: jinja sources; ``default`` is used unless ``tool_use`` is there and tools are given
        :param names: further texts for the template, such as ``bos_token``
        :param longest: characters of a prompt
        """
        self._templates = dict(templates)
        self._process = TemplateProcess(templates, names, longest=longest)

    @classmethod
    def of(cls, tokenizer: Tokenizer, plan: Plan) -> ChatTemplate | None:
        """The model's template, None if it has none; the process that renders is being started."""
        templates = dict(tokenizer.chat_templates)
        if tokenizer.chat_template:
            templates["default"] = tokenizer.chat_template
        if "default" not in templates:
            return None
        longest = max(_SHORTEST_LIMIT, _CHARACTERS_A_TOKEN * plan.context_length)
        return cls(templates, tokenizer.names, longest=longest)

    @property
    def takes_tools(self) -> bool:
        """Whether a template of the model tells it of tools."""
        return "tool_use" in self._templates or "tools" in self._templates["default"]

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """The prompt for the assistant's next turn.

        :param arguments: what else the template may see; ``add_generation_prompt`` is true unless it is here, and with
            ``continue_final_message`` the prompt ends within the last message
        :raises BadRequestError: the template refuses the messages, or takes too long or too much memory with them
        """
        name = "tool_use" if tools and "tool_use" in self._templates else "default"
        said = for_template(messages, developer="developer" in self._templates[name])
        request = {"template": name, "messages": said, "tools": tools or None, "documents": documents or None}
        return self._process.ask({**request, "arguments": dict(arguments or {})})

    def close(self) -> None:
        """End the process."""
        self._process.close()
