"""What an answer must follow, as llguidance understands it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from uml_core.worker.requests import GenerationRequest, wrong
from uml_core.worker.text.constraint import failure_of
from uml_core.worker.text.schema import SPACED, ready
from uml_core.worker.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher


@frozen
class Grammar:
    """A grammar in llguidance's form; ``param`` is the field of the request that it comes from."""

    text: str = field(repr=False)
    param: str

    def matcher(self, tokenizer: Tokenizer) -> LLMatcher:
        """Compile it, and see that an answer can begin; a matcher follows one, ``deep_copy()`` makes one for another.

        :raises BadRequestError: llguidance can't follow it; the message names what
        """
        from llguidance import LLMatcher

        matcher = LLMatcher(tokenizer.constraints(), self.text, log_level=0)
        if not matcher.is_error():
            matcher.compute_bitmask()  # takes seconds for a pattern that is large enough, which nobody else waits for
        if matcher.is_error():
            raise failure_of(matcher, self.param)
        return matcher


@frozen
class Rule:
    """What an answer must be: an expression of Lark, and further grammars that it names as ``@name``."""

    expression: str
    param: str
    named: Mapping[str, str] = field(factory=dict)

    def grammar(self, start: str = "", more: str = "") -> Grammar:
        """The rule as a grammar.

        :param start: what stands before it, as an expression of Lark
        :param more: rules and terminals of ours that the expressions need
        """
        first = {"lark_grammar": f"start: {start} {self.expression}\n{more}"}
        others = [{"name": name, "lark_grammar": lark} for name, lark in self.named.items()]
        return Grammar(json.dumps({"grammars": [first, *others]}), self.param)


def grammar_of(request: GenerationRequest) -> Grammar | None:
    """What a completion may be constrained by: formats, schemas, grammars and patterns; no tools.

    :raises BadRequestError: several of them at once, or one that can't be used
    """
    rule = rule_of(request)
    return rule.grammar() if rule else None


def rule_of(request: GenerationRequest) -> Rule | None:
    """The rule that the request gives its answer.

    :raises BadRequestError: several at once, or one that can't be used
    """
    rules = [rule for name, read in _FIELDS.items() if (rule := _read(name, read, request.extra))]
    if len(rules) > 1:
        raise wrong(rules[1].param, f"can't be followed together with '{rules[0].param}'; leave one out")
    return rules[0] if rules else None


_Reader = Callable[[Any, str], Rule | None]


def _read(name: str, read: _Reader, extra: Mapping[str, Any]) -> Rule | None:
    value = extra.get(name)
    return None if value is None or value == "" else read(value, name)


def _schema(schema: Any, param: str) -> Rule:
    if not isinstance(schema, dict):
        raise wrong(param, "must be a JSON schema, which is an object")
    return Rule(f"%json {json.dumps(ready(schema, SPACED))}", param)


def _response_format(wanted: Any, param: str) -> Rule | None:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return _schema(wanted.get("schema") or {"type": "object"}, param)
    if kind == "json_schema" and isinstance(wanted.get("json_schema"), dict):
        return _schema(wanted["json_schema"].get("schema") or {"type": "object"}, param)
    raise wrong(param, "must be text, json_object, or json_schema with a schema")


def _grammar(text: Any, param: str) -> Rule:
    """A grammar in GBNF or in Lark."""
    from llguidance.gbnf_to_lark import any_to_lark

    if not isinstance(text, str):
        raise wrong(param, "must be a text in GBNF or in Lark")
    try:
        lark = any_to_lark(text)
    except Exception as error:  # noqa: BLE001 - whatever the converter stumbles over
        raise wrong(param, f"can't be followed: {' '.join(str(error).split())[:300]}") from None
    return Rule("@answer", param, {"answer": lark})


def _regex(pattern: Any, param: str) -> Rule:
    """A pattern of the whole answer, so that anchors at its ends say nothing."""
    from llguidance import LLMatcher

    if not isinstance(pattern, str):
        raise wrong(param, "must be a regular expression")
    inner = pattern.removeprefix("^")
    inner = inner[:-1] if inner.endswith("$") and not inner.endswith("\\$") else inner
    made = json.loads(LLMatcher.grammar_from_regex(inner))
    return Rule("@answer", param, {"answer": made["grammars"][0]["lark_grammar"]})


_FIELDS: Mapping[str, _Reader] = {
    "response_format": _response_format,
    "json_schema": _schema,
    "grammar": _grammar,
    "regex": _regex,
}
