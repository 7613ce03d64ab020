"""From a chat to what the text layer computes: the prompt, the constraint, and who reads the answer."""

from __future__ import annotations

from attrs import field, frozen

from uml_core.errors import TaskNotSupportedError
from uml_core.types import Plan
from uml_core.worker.requests import ChatRequest
from uml_core.worker.text.families import find_family
from uml_core.worker.text.family import Family
from uml_core.worker.text.grammar import Grammar, grammar_of
from uml_core.worker.text.response import ResponseReader
from uml_core.worker.text.template import ChatTemplate
from uml_core.worker.text.thinking import template_arguments
from uml_core.worker.text.tokenizer import Tokenizer
from uml_core.worker.text.tools import ToolUse


@frozen
class PreparedChat:
    """A chat that can be computed. The prompt has its special tokens written out; none is to be added.

    ``grammar`` is what the answer must follow. Of the special tokens that the model writes, only those that
    ``shows`` says yes to are given to the reader as text; the others are nobody's business.
    """

    prompt: str = field(repr=False)
    grammar: Grammar | None
    family: Family
    tools: ToolUse

    def reader(self) -> ResponseReader:
        """A reader for one answer; each of ``n`` needs its own."""
        return ResponseReader(self.family, prompt=self.prompt, tools=self.tools)

    def shows(self, special: str) -> bool:
        """Whether the special token that is written *special* has a meaning in this model's answers."""
        return self.family.shows(special)


class Chats:
    """Prepares the chats of one model. Safe to be used from several threads."""

    def __init__(self, tokenizer: Tokenizer, plan: Plan) -> None:
        self._tokenizer = tokenizer
        self._template = ChatTemplate.of(tokenizer, plan)
        self._family = find_family(tokenizer)

    def prepare(self, request: ChatRequest) -> PreparedChat:
        """Render the prompt and make the grammar. May take a second.

        :raises TaskNotSupportedError: the model has no chat template
        :raises BadRequestError: messages, tools or a schema that can't be used; ``param`` names the field
        """
        if self._template is None:
            raise TaskNotSupportedError(
                "this model has no chat template: it goes on with a text; ask /v1/completions", param="messages"
            )
        raise NotImplementedError(template_arguments, grammar_of)

    def close(self) -> None:
        """End the process that renders."""
