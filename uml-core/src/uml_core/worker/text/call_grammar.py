"""The grammar of an answer that may, or must, call tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, evolve

from uml_core.worker.text.dialects import gemma_object, glm_arguments, pythonic_arguments, xml_arguments
from uml_core.worker.text.family import Calls, Family
from uml_core.worker.text.grammar import Grammar, Rule
from uml_core.worker.text.marks import Marks, pattern
from uml_core.worker.text.rules import Rules
from uml_core.worker.text.schema import DENSE, closed, one_of_calls, ready
from uml_core.worker.text.thoughts_first import lead_of, says_mark
from uml_core.worker.text.tools import Tool, ToolUse

_TEXT = "UML_TEXT: /(.|\\n)+/\n"
_OTHER = "UML_TEXT: /[^{\\[\\s](.|\\n)*/\n"


def grammar_of_calls(family: Family, use: ToolUse, prompt: str, marks: Marks, rule: Rule | None = None) -> Grammar:
    """Hold an answer to the calls that *use* allows, if it calls; else to *rule*, or to nothing.

    Without a call it is as free as *use* leaves it.
    """
    assert family.calls is not None
    writer = _Writer(family.calls, use, marks, Rules())
    lead = lead_of(evolve(family, says=""), prompt, marks)
    says = says_mark(family, marks)
    if use.required:
        return _grammar(f"{lead.expression} {writer.calls()}", lead.rules, writer)
    if rule is not None:
        return _grammar(f"{lead.expression} ( {writer.calls()} | {says} {rule.expression} )", lead.rules, writer, rule)
    if family.calls.trigger:
        return _grammar(writer.when_triggered(family), _TEXT, writer)
    other = _TEXT if says else _OTHER
    return _grammar(f"{lead.expression} ( {writer.calls()} | {says} UML_TEXT? )", lead.rules + other, writer)


def _grammar(start: str, more: str, writer: _Writer, rule: Rule | None = None) -> Grammar:
    whole = rule or Rule("", "tools")
    return evolve(whole, expression=start).grammar(more=f"{more}{writer.rules}")


@define
class _Writer:
    """Writes the calls of one family."""

    form: Calls
    use: ToolUse
    marks: Marks
    rules: Rules

    def calls(self, skip: str = "") -> str:
        """All calls of an answer, without *skip*, which the answer has begun with."""
        calls, parallel = self.form, self.use.parallel and not self.form.single
        first = self._written((calls.first or "").removeprefix(skip)) if calls.first else ""
        last = self._written(calls.last) if calls.last else ""
        inner_skip = "" if calls.first else skip
        if calls.form == "list":
            return f"{first} {self._list()} {last}"
        between = self._written(calls.between) if calls.between else ""
        again = f"( {between} {self._call('')} )*" if parallel else ""
        return f"{first} {self._call(inner_skip)} {again} {last}"

    def when_triggered(self, family: Family) -> str:
        """Free text, in which the trigger begins calls."""
        trigger = self.form.trigger
        if (number := self.marks.number(trigger)) is not None:
            free, head = f"( UML_TEXT | {self._others(family)} )*", f"<[{number}]>"
        else:
            self.rules.add("uml_head[lazy]", f"/(.|\\n)*{pattern(trigger)}/")
            free, head = "", "uml_head"
        calls, tail = f"{head} {self.calls(trigger)}", free or "UML_TEXT?"
        unended = not (self.form.end or self.form.last)  # what follows a call would be taken for a part of it
        if unended or not self.use.parallel:
            return f"( {tail} | {free} {calls} )"
        return f"( {free} {calls} )* {tail}"

    def _others(self, family: Family) -> str:
        """Special tokens that may stand in free text: the family's own, but for the trigger."""
        numbers = {self.marks.number(mark) for mark in self.marks.found(family.written)}
        numbers -= {None, self.marks.number(self.form.trigger)}
        return " | ".join(f"<[{number}]>" for number in sorted(filter(None, numbers))) or "UML_TEXT"

    def _written(self, text: str) -> str:
        return self.marks.written(text) if text else ""

    def _list(self) -> str:
        parameters = {tool.name: tool.parameters for tool in self.use.tools}
        schema = one_of_calls(parameters, self.form.key)
        defs = schema.pop("$defs")
        most = {} if self.use.parallel else {"maxItems": 1}
        return _as_json({"type": "array", "items": schema, "minItems": 1, **most, "$defs": defs, "x-guidance": DENSE})

    def _call(self, skip: str) -> str:
        if self.form.form == "json":
            schema = one_of_calls({tool.name: tool.parameters for tool in self.use.tools}, self.form.key)
            inner = _as_json({**schema, "x-guidance": DENSE})
            return self._around("", skip, inner)
        return "( " + " | ".join(self._around(tool.name, skip, self._arguments(tool)) for tool in self.use.tools) + " )"

    def _around(self, name: str, skip: str, inner: str) -> str:
        begin = self._written(self.form.begin.replace("{name}", name).removeprefix(skip))
        return f"{begin} {inner} {self._written(self.form.end)}"

    def _arguments(self, tool: Tool) -> str:
        dialect = _DIALECTS.get(self.form.form)
        if dialect is None:
            return _as_json(ready(tool.parameters, DENSE))
        return dialect(closed(tool.parameters), self.rules, self.marks, self.form.values)


_Dialect = Callable[[Mapping[str, object], Rules, Marks, Mapping[str, object]], str]
_DIALECTS: Final[Mapping[str, _Dialect]] = {
    "gemma": gemma_object,
    "glm": glm_arguments,
    "pythonic": pythonic_arguments,
    "xml": xml_arguments,
}


def _as_json(schema: Mapping[str, object]) -> str:
    return f"%json {json.dumps(schema)}"
