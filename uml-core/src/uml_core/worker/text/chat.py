"""From a chat to what the text layer computes: the prompt, the constraint, and who reads the answer."""

from __future__ import annotations

from attrs import evolve, field, frozen

from uml_core.errors import TaskNotSupportedError
from uml_core.types import Plan
from uml_core.worker.requests import ChatRequest, wrong
from uml_core.worker.text.call_grammar import grammar_of_calls
from uml_core.worker.text.families import ALONE, find_family
from uml_core.worker.text.family import Family
from uml_core.worker.text.grammar import Grammar, rule_of
from uml_core.worker.text.marks import Marks
from uml_core.worker.text.response import ResponseReader
from uml_core.worker.text.response_form import import_parser, warm
from uml_core.worker.text.template import ChatTemplate
from uml_core.worker.text.thinking import template_arguments
from uml_core.worker.text.thoughts_first import lead_of
from uml_core.worker.text.tokenizer import Tokenizer
from uml_core.worker.text.tools import ToolUse, told_in_words


@frozen
class PreparedChat:
    """A chat that can be computed. The prompt has its special tokens written out.

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
        self._marks = Marks(tokenizer)
        self._template = ChatTemplate.of(tokenizer, plan)
        self._family = find_family(tokenizer)
        if self._template is not None and not self._family.plain:
            warm()

    def prepare(self, request: ChatRequest) -> PreparedChat:
        """Render the prompt and make the grammar. May take a second.

        :raises TaskNotSupportedError: the model has no chat template
        :raises BadRequestError: messages, tools or a schema that can't be used; ``param`` names the field
        """
        if self._template is None:
            raise TaskNotSupportedError(
                "this model has no chat template: it goes on with a text; ask /v1/completions", param="messages"
            )
        use = ToolUse.read(request)
        family = self._family_for(use)
        prompt = self._render(self._template, request, use)
        if not family.plain:
            import_parser()  # here, where it keeps nobody else waiting
        return PreparedChat(prompt, self._grammar(request, use, family, prompt), family, use)

    def close(self) -> None:
        """End the process that renders."""
        if self._template is not None:
            self._template.close()

    def _family_for(self, use: ToolUse) -> Family:
        """The model's family; one that was never told of calls is held to a form of ours if it must call."""
        family = self._family
        told = family.tells and (family.calls or family.response)
        if not use.tools or (family.calls and told) or (told and not use.required):
            return family
        if not use.required:
            raise wrong(
                "tools", "can't be given to this model, whose chat template has no place for them; "
                "leave them out, let 'tool_choice' require one, or load another model",
            )  # fmt: skip
        return evolve(family, calls=ALONE, response=None)

    def _render(self, template: ChatTemplate, request: ChatRequest, use: ToolUse) -> str:
        arguments = template_arguments(request)
        documents = arguments.pop("documents", None)
        if use.offered and not self._family.tells:
            return template.render(told_in_words(request.messages, use), None, documents, arguments)
        tools = [tool.openai() for tool in use.offered]
        return template.render(request.messages, tools, documents, arguments)

    def _grammar(self, request: ChatRequest, use: ToolUse, family: Family, prompt: str) -> Grammar | None:
        rule = rule_of(request)
        if rule and use.required:
            raise wrong(rule.param, "can't be followed together with 'tool_choice'; leave one out")
        if use.tools and family.calls:
            return grammar_of_calls(family, use, prompt, self._marks, rule)
        if rule is None:
            return None
        lead = lead_of(family, prompt, self._marks)
        return rule.grammar(lead.expression, lead.rules)
