# ruff: noqa: RUF001, ISC004, E501 - texts as models write them
"""Answers as models of each family write them, whole and in every kind of pieces."""

import random

import pytest
from small_vocabulary import merged

from uml_core.errors import InternalServerError
from uml_core.worker.text.families import find_family
from uml_core.worker.text.response import ResponseReader
from uml_core.worker.text.tools import Tool, ToolUse

WEATHER = Tool(
    "get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)
TOOLS = (WEATHER, Tool("add"))
USE = ToolUse(TOOLS, offered=TOOLS)
CITY = '{"city": "A"}'

# what stands in the model's template, how its prompt ends, what it writes, and what of that is said, thought and called
CASES = [
    ("<tool_call>", "", '<think>\nhm let\n</think>\n\nOk.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": '
     '"Zürich", "days": 2}}\n</tool_call>\n<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>',
     "Ok.", "hm let", [("get_weather", '{"city": "Zürich", "days": 2}'), ("add", "{}")]),
    ("<tool_call>", "<think>\n", "hm</think>\n\nAnswer \n", "Answer \n", "hm", []),
    ("<tool_call>", "<think>\n\n</think>\n\n", "Answer", "Answer", "", []),
    ("<tool_call>", "", " plain text\n\n", " plain text\n\n", "", []),
    ("<tool_call>", "", "a <tool_call>broken</tool_call> b", "a <tool_call>broken</tool_call> b", "", []),
    ("<tool_call>", "", "a < b <tool", "a < b <tool", "", []),
    ("<tool_call>", "", "<think>never ends", "", "never ends", []),
    ("<tool_call>\n<function=", "", "<tool_call>\n<function=get_weather>\n<parameter=city>\n12\n</parameter>\n"
     "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
     "", "", [("get_weather", '{"city": "12", "days": 3}')]),
    ("<tool_call><arg_key>", "", "Hi<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n"
     "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
     "Hi", "", [("get_weather", '{"city": "Rome", "days": 3}')]),
    ("[TOOL_CALLS][ARGS]", "", "[THINK]x[/THINK]Sure[TOOL_CALLS]get_weather[ARGS]" + CITY
     + "[TOOL_CALLS]add[CALL_ID]abcdefghi[ARGS]{}", "Sure", "x", [("get_weather", CITY), ("add", "{}")]),
    ("[TOOL_CALLS]", "", '[TOOL_CALLS] [{"name": "get_weather", "arguments": ' + CITY + "}]",
     "", "", [("get_weather", CITY)]),
    ("<|tool_call|>", "", '<|tool_call|>[{"name": "get_weather", "arguments": ' + CITY + "}]",
     "", "", [("get_weather", CITY)]),
    ("<|tool_call|><|/tool_call|>", "", '<|tool_call|>[{"name": "add"}]<|/tool_call|>', "", "", [("add", "{}")]),
    ("<|START_ACTION|>", "", '<|START_THINKING|>I will<|END_THINKING|><|START_ACTION|>[{"tool_call_id": "0", '
     '"tool_name": "get_weather", "parameters": ' + CITY + "}]<|END_ACTION|>",
     "", "I will", [("get_weather", CITY)]),
    ("<|START_ACTION|>", "", "<|START_RESPONSE|>Hi there.<|END_RESPONSE|>", "Hi there.", "", []),
    ("<|python_tag|>", "", '{"name": "get_weather", "parameters": ' + CITY + '}; {"name": "add", "parameters": {}}',
     "", "", [("get_weather", CITY), ("add", "{}")]),
    ("<|python_tag|>", "", '<|python_tag|>{"type": "function", "name": "add", "parameters": {}}',
     "", "", [("add", "{}")]),
    ("<|python_tag|>", "", '{"foo": 1}', '{"foo": 1}', "", []),
    ("<|python_start|>", "", "[get_weather(city='A', days=2), add()]",
     "", "", [("get_weather", '{"city": "A", "days": 2}'), ("add", "{}")]),
    ("<|tool_call_start|>", "", '<|tool_call_start|>[get_weather(city="A")]<|tool_call_end|>bye',
     "bye", "", [("get_weather", CITY)]),
    ("<|tool_call>", "", '<|channel>thought\nhm<channel|><|tool_call>call:get_weather{city:<|"|>A "b"<|"|>,days:3}'
     "<tool_call|>", "", "hm", [("get_weather", '{"city": "A \\"b\\"", "days": 3}')]),
    ("<start_function_call>", "", "<start_function_call>call:get_weather{city:<escape>A<escape>}<end_function_call>",
     "", "", [("get_weather", CITY)]),
    ("<｜tool▁call▁begin｜>", "<think>", "hm</think>Ok<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
     + CITY + "<｜tool▁call▁end｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
     "Ok", "hm", [("get_weather", CITY), ("add", "{}")]),
    ("<｜tool▁call▁begin｜>```json", "", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
     "```json\n" + CITY + "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", "", [("get_weather", CITY)]),
    ("<|tool_call_begin|>", "", "Ok<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
     "<|tool_call_argument_begin|>" + CITY + "<|tool_call_end|><|tool_calls_section_end|>",
     "Ok", "", [("get_weather", CITY)]),
    ("<|channel|><|message|>", "", "<|channel|>analysis<|message|>think hard<|end|><|start|>assistant<|channel|>final"
     "<|message|>Hello!", "Hello!", "think hard", []),
    ("<|channel|><|message|>", "", "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>" + CITY,
     "", "", [("get_weather", CITY)]),
    ("<|channel|><|message|>", "", "<|channel|>analysis<|message|>x<|end|><|start|>assistant to=functions.get_weather"
     "<|channel|>commentary json<|message|>" + CITY + "<|call|>", "", "x", [("get_weather", CITY)]),
    ("<|channel|><|message|>", "", "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>"
     "commentary to=functions.add<|message|>{}", "I look.", "", [("add", "{}")]),
    ("<tool_call>", "", '<tool_call>{"name": "add", "arguments": {"a": [{"b": "}"}]}, "x": 1}</tool_call>', "", "",
     [("add", '{"a": [{"b": "}"}]}')]),
    ("<tool_call>", "", '<tool_call>{"arguments": {"city": "A"}, "name": "get_weather"}</tool_call>', "", "",
     [("get_weather", CITY)]),
    ("<tool_call>", "", '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"A\\"}"}</tool_call>', "", "",
     [("get_weather", CITY)]),
    ("nothing", "", "just text <tool_call>", "just text <tool_call>", "", []),
]  # fmt: skip


def read(template, prompt, pieces, tokenizer_of, use=USE):
    reader = ResponseReader(find_family(tokenizer_of(template)), prompt=prompt, tools=use)
    deltas = [delta for piece in pieces for delta in reader.feed(piece)] + list(reader.finish())
    calls = merged(deltas)
    assert reader.called is bool(calls)
    said = "".join(str(delta.text) for delta in deltas)
    return said, "".join(delta.reasoning for delta in deltas), [(call.name, call.arguments) for call in calls]


@pytest.mark.parametrize(("template", "prompt", "text", "said", "thought", "calls"), CASES)
def test_answer_is_read_the_same_however_it_is_cut(template, prompt, text, said, thought, calls, tokenizer_of):
    expected = (said, thought, calls)
    assert read(template, prompt, [text], tokenizer_of) == expected
    assert read(template, prompt, list(text), tokenizer_of) == expected
    chance = random.Random(1)
    for _ in range(10):
        cuts = sorted(chance.sample(range(len(text)), min(4, len(text))))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert read(template, prompt, pieces, tokenizer_of) == expected, pieces


def test_without_tools_a_call_is_only_text(tokenizer_of):
    text = '<tool_call>{"name": "add", "arguments": {}}</tool_call>'
    assert read("<tool_call>", "", [text], tokenizer_of, ToolUse()) == (text, "", [])


def test_only_one_call_where_they_may_not_be_parallel(tokenizer_of):
    text = '<tool_call>{"name": "add", "arguments": {}}</tool_call>' * 2
    use = ToolUse(TOOLS, parallel=False, offered=TOOLS)
    assert read("<tool_call>", "", [text], tokenizer_of, use)[2] == [("add", "{}")]


def test_arguments_are_told_while_they_are_written(tokenizer_of):
    reader = ResponseReader(find_family(tokenizer_of("<tool_call>")), prompt="", tools=USE)
    text = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "A}\\""}}\n</tool_call>'
    calls = [call for character in text for delta in reader.feed(character) for call in delta.tool_calls]
    assert (calls[0].name, calls[0].arguments) == ("get_weather", "")
    assert "".join(call.arguments for call in calls) == '{"city": "A}\\""}'
    assert len(calls) > 10


def test_arguments_that_are_cut_off_were_told_so_far(tokenizer_of):
    reader = ResponseReader(find_family(tokenizer_of("<tool_call>")), prompt="", tools=USE)
    deltas = [*reader.feed('<tool_call>\n{"name": "get_weather", "arguments": {"city": "A'), *reader.finish()]
    (call,) = merged(deltas)
    assert call.arguments == '{"city": "A'
    assert not any(delta.text for delta in deltas)


def test_ids_are_as_the_template_wants_them(tokenizer_of):
    reader = ResponseReader(find_family(tokenizer_of("[TOOL_CALLS]")), prompt="", tools=USE)
    deltas = [*reader.feed('[TOOL_CALLS] [{"name": "add", "arguments": {}}]'), *reader.finish()]
    (call,) = deltas[0].tool_calls
    assert len(call.id) == 9
    assert call.id.isalnum()


def test_tells_when_it_is_thinking(tokenizer_of):
    reader = ResponseReader(find_family(tokenizer_of("<tool_call>")), prompt="<think>\n", tools=USE)
    seen = [reader.thinking]
    for piece in ("hm", "</think>", "so"):
        list(reader.feed(piece))
        seen.append(reader.thinking)
    assert seen == [True, True, False, False]


def test_models_own_response_template_goes_first(tokenizer_of):
    tokenizer = tokenizer_of("<tool_call> tools")
    tokenizer.response_template = {
        "start_anchor": "ASSISTANT:",
        "fields": {
            "content": {},
            "thinking": {"open": "(", "close": ")"},
            "tool_calls": {
                "open_pattern": r"@(?P<name>\w+)\s*",
                "close": ";",
                "repeats": True,
                "content": "json",
                "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
            },
        },
    }
    family = find_family(tokenizer)
    text = '(let me see) Sure @get_weather {"city": "A", "days": "3"}; @add nonsense;'
    results = []
    for pieces in ([text], list(text)):
        reader = ResponseReader(family, prompt="ASSISTANT: (old) USER: x ASSISTANT:", tools=USE)
        deltas = [delta for piece in pieces for delta in reader.feed(piece)] + list(reader.finish())
        calls = [(call.name, call.arguments) for call in merged(deltas)]
        results.append(("".join(str(d.text) for d in deltas), "".join(d.reasoning for d in deltas), calls))
    said, thought, calls = results[0]
    assert results[1] == results[0]
    assert (thought, calls) == ("let me see", [("get_weather", '{"city": "A", "days": 3}')])
    assert said.startswith("Sure")
    assert "nonsense" in said


def test_a_models_own_pattern_that_takes_for_ever_ends_the_answer(tokenizer_of):
    tokenizer = tokenizer_of("tools")
    slow = {"open_pattern": r"(?:(?:a|aa)+)+b", "close": ";"}
    tokenizer.response_template = {"start_anchor": "ASSISTANT:", "fields": {"content": {}, "thinking": slow}}
    reader = ResponseReader(find_family(tokenizer), prompt="ASSISTANT:", tools=USE)
    with pytest.raises(InternalServerError, match="the model's own description of its answers"):
        list(reader.feed("a" * 64 + "c"))


def test_a_models_own_pattern_of_arguments_that_takes_for_ever_leaves_them_unread(tokenizer_of):
    tokenizer = tokenizer_of("tools")
    call = {
        "open": "<call>",
        "close": "</call>",
        "content": "xml-inline",
        "content_args": {"tag_pattern": r"(?P<key>\w)=(?P<value>(?:(?:a|aa)+)+)b"},
        "transform": {"type": "function", "function": {"name": "add", "arguments": "{content}"}},
    }
    tokenizer.response_template = {"start_anchor": "ASSISTANT:", "fields": {"content": {}, "tool_calls": call}}
    reader = ResponseReader(find_family(tokenizer), prompt="ASSISTANT:", tools=USE)
    text = f"<call>x={'a' * 64}c</call>"
    assert "".join(str(delta.text) for delta in reader.feed(text)) + "".join(
        str(delta.text) for delta in reader.finish()
    ) == text.removeprefix("<call>").removesuffix("</call>")
    assert not reader.called


MUCH = 20_000


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ("<tool_call>\n<function=", "<tool_call><function=add>" + "<parameter=a>" * MUCH + "</function></tool_call>"),
        ("<tool_call><arg_key>", "<tool_call>add" + "<arg_key>a</arg_key><arg_value>" * MUCH + "</tool_call>"),
        ("<tool_call><arg_key>", "<tool_call>add" + "<arg_key>" * MUCH + "</tool_call>"),
        ("[TOOL_CALLS][ARGS]", "[TOOL_CALLS]add" + " " * MUCH + "x"),
        ("<|python_start|>", f"<|python_start|>[add(x={'-' * 10 * MUCH}1)]<|python_end|>"),
    ],
)
def test_what_a_model_is_made_to_repeat_is_read_at_once(tokenizer_of, needs, text):
    """Some of it took minutes, or more, in which nobody else was answered."""
    family = find_family(tokenizer_of(f"{needs} tools"))
    reader = ResponseReader(family, prompt="", tools=USE)
    deltas = [*reader.feed(text), *reader.finish()]
    assert sum(len(str(delta.text)) for delta in deltas) > MUCH or reader.called
