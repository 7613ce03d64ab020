# ruff: noqa: RUF001, E501 - marks as models write them
"""Whatever a grammar allows is a call that the family's reader understands and the schema permits.

The writer is chance: it has no idea of any of it.
"""

import json

import jsonschema
import pytest
from small_vocabulary import merged

from uml_core.worker.requests import CompletionRequest
from uml_core.worker.text.call_grammar import grammar_of_calls
from uml_core.worker.text.families import find_family
from uml_core.worker.text.grammar import rule_of
from uml_core.worker.text.marks import Marks
from uml_core.worker.text.response import ResponseReader
from uml_core.worker.text.tools import Tool, ToolUse

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"enum": ["C", "F", "°"]},
        "where": {"$ref": "#/$defs/Place"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "required": ["city", "unit"],
    "$defs": {
        "Place": {
            "type": "object",
            "properties": {"lat": {"type": "number"}, "next": {"$ref": "#/$defs/Place"}},
            "required": ["lat"],
        }
    },
}
ADD = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOLS = (Tool("get_weather", parameters=WEATHER), Tool("add", parameters=ADD), Tool("noop"))
SCHEMAS = {tool.name: tool.parameters for tool in TOOLS}
TEMPLATES = [
    "<tool_call>", "<tool_call><function=", "<tool_call><arg_key>", "[TOOL_CALLS]", "[TOOL_CALLS][ARGS]",
    "<|tool_call|>", "<|tool_call|><|/tool_call|>", "<|START_ACTION|>", "<|python_tag|>", "<|python_start|>",
    "<|tool_call_start|>", "<|tool_call>", "<start_function_call>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁begin｜>```json",
    "<|tool_call_begin|>", "<|channel|><|message|>",
]  # fmt: skip
SEEDS = 4


@pytest.fixture(params=TEMPLATES)
def template(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["special", "text"])
def tokenizer(request, template, tokenizer_of):
    marks = Marks(tokenizer_of(None)).found(find_family(tokenizer_of(template)).written) if request.param else ()
    return tokenizer_of(template, set(marks))


def calls_in(text, family, use):
    reader = ResponseReader(family, prompt="", tools=use)
    deltas = [*reader.feed(text), *reader.finish()]
    return merged(deltas)


def check(calls):
    for call in calls:
        jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])


def test_required_call_is_made_and_valid(tokenizer, written):
    family, use = find_family(tokenizer), ToolUse(TOOLS, required=True, offered=TOOLS)
    grammar = grammar_of_calls(family, use, "", Marks(tokenizer))
    for seed in range(SEEDS):
        text = written(grammar, tokenizer, seed)
        calls = calls_in(text, family, use)
        assert calls, text
        check(calls)


def test_named_call_is_the_only_one(tokenizer, written):
    family, use = find_family(tokenizer), ToolUse(TOOLS[1:2], required=True, parallel=False, offered=TOOLS)
    grammar = grammar_of_calls(family, use, "", Marks(tokenizer))
    for seed in range(SEEDS):
        calls = calls_in(written(grammar, tokenizer, seed), family, use)
        assert [call.name for call in calls] == ["add"]
        check(calls)


def test_call_that_was_begun_freely_is_valid(tokenizer, written):
    family, use = find_family(tokenizer), ToolUse(TOOLS, offered=TOOLS)
    grammar = grammar_of_calls(family, use, "", Marks(tokenizer))
    begin = f"So: {family.calls.trigger}" if family.calls.trigger else ""
    for seed in range(SEEDS):
        text = written(grammar, tokenizer, seed, begin=begin)
        calls = calls_in(text, family, use)
        assert calls or not begin, text
        check(calls)


def test_only_call_that_was_begun_freely_ends_the_answer(tokenizer, written):
    family, use = find_family(tokenizer), ToolUse(TOOLS, parallel=False, offered=TOOLS)
    if not family.calls.trigger:
        pytest.skip("an answer is a call or none")
    grammar = grammar_of_calls(family, use, "", Marks(tokenizer))
    for seed in range(SEEDS):
        text = written(grammar, tokenizer, seed, begin=f"So: {family.calls.trigger}")
        reader = ResponseReader(family, prompt="", tools=use)
        deltas = [*reader.feed(text), *reader.finish()]
        assert len(merged(deltas)) == 1, text
        assert "".join(str(delta.text) for delta in deltas).strip() == "So:", text


def test_answer_without_call_is_free(tokenizer):
    family, use = find_family(tokenizer), ToolUse(TOOLS, offered=TOOLS)
    matcher = grammar_of_calls(family, use, "", Marks(tokenizer)).matcher(tokenizer)
    assert matcher.consume_tokens(tokenizer.encode(f"{family.says}No tool, thanks.\n", add_special=False))
    assert matcher.is_accepting()


def test_answer_follows_its_format_or_is_a_call(tokenizer, written):
    rule = rule_of(CompletionRequest(prompt="", extra={"json_schema": {"type": "integer"}}))
    family, use = find_family(tokenizer), ToolUse(TOOLS, offered=TOOLS)
    grammar = grammar_of_calls(family, use, "", Marks(tokenizer), rule)
    for seed in range(SEEDS):
        text = written(grammar, tokenizer, seed)
        reader = ResponseReader(family, prompt="", tools=use)
        deltas = [*reader.feed(text), *reader.finish()]
        said = "".join(str(delta.text) for delta in deltas)
        assert reader.called or isinstance(json.loads(said), int), text


@pytest.mark.parametrize("prompt", ["", "<think>\n"])
def test_thoughts_are_free_and_then_the_call_comes(prompt, tokenizer_of, written):
    tokenizer = tokenizer_of("<tool_call>", ["<think>", "</think>", "<tool_call>", "</tool_call>"])
    family, use = find_family(tokenizer), ToolUse(TOOLS[1:2], required=True, parallel=False, offered=TOOLS)
    grammar = grammar_of_calls(family, use, prompt, Marks(tokenizer))
    begin = f"{'' if prompt else '<think>'}Whatever I want.</think>\n\n"
    reader = ResponseReader(family, prompt=prompt, tools=use)
    deltas = [*reader.feed(written(grammar, tokenizer, 1, begin=begin)), *reader.finish()]
    assert "".join(delta.reasoning for delta in deltas) == "Whatever I want."
    assert reader.called
