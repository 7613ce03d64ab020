"""A chat from the request to the prompt, the grammar and the reader, with a real vocabulary and a real child."""

import json
from pathlib import Path

import pytest
from small_vocabulary import make_tokenizer, merged, write

from uml_core.errors import BadRequestError, TaskNotSupportedError
from uml_core.types import ModelSource, Plan
from uml_core.worker.requests import ChatRequest
from uml_core.worker.text.chat import Chats

SIMPLE = "{% for m in messages %}{{ m.role ~ ': ' ~ m.content ~ '\n' }}{% endfor %}assistant:"
HERMES = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}Write <tool_call>…</tool_call>\n{% endif %}"
    + SIMPLE
    + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
)
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
PLAN = Plan(
    model_id="m",
    model=ModelSource(path=Path("m"), format="gguf", files=(), size_bytes=0),
    backend="b",
    tasks=("text-generation",),
    context_length=512,
)


@pytest.fixture
def chats(request):
    made = []

    def make(template, marks=()):
        tokenizer = make_tokenizer(template, marks)
        made.append(Chats(tokenizer, PLAN))
        return made[-1], tokenizer

    yield make
    for one in made:
        one.close()


def ask(**body):
    return ChatRequest.read({"messages": [{"role": "user", "content": "hi"}], **body})


def answer(prepared, text):
    reader = prepared.reader()
    deltas = [*reader.feed(text), *reader.finish()]
    calls = merged(deltas)
    return "".join(str(d.text) for d in deltas), "".join(d.reasoning for d in deltas), calls


def test_simple_chat_has_no_grammar_and_plain_answers(chats):
    prepared = chats(SIMPLE)[0].prepare(ask())
    assert prepared.prompt == "user: hi\nassistant:"
    assert prepared.grammar is None
    assert answer(prepared, "Hello <think> ") == ("Hello <think> ", "", [])


def test_model_without_template_cant_chat(chats):
    with pytest.raises(TaskNotSupportedError, match="/v1/completions"):
        chats(None)[0].prepare(ask())


def test_tools_are_told_and_required(chats):
    made, tokenizer = chats(HERMES)
    prepared = made.prepare(ask(tools=[TOOL], tool_choice="required"))
    assert '"name": "add"' in prepared.prompt
    text = write(prepared.grammar, tokenizer, 3)
    _, _, calls = answer(prepared, text)
    assert calls
    assert all(isinstance(json.loads(call.arguments)["a"], int) for call in calls)


def test_no_tools_for_a_model_that_was_never_told_of_any(chats):
    with pytest.raises(BadRequestError, match="no place") as caught:
        chats(SIMPLE)[0].prepare(ask(tools=[TOOL]))
    assert caught.value.param == "tools"


def test_tools_that_nobody_may_call_disturb_nobody(chats):
    prepared = chats(SIMPLE)[0].prepare(ask(tools=[TOOL], tool_choice="none"))
    assert prepared.prompt == "user: hi\nassistant:"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_model_without_tools_is_held_to_json_if_it_must_call(choice, chats):
    made, tokenizer = chats(SIMPLE)
    prepared = made.prepare(ask(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False))
    assert '"name": "add"' in prepared.prompt
    said, _, calls = answer(prepared, write(prepared.grammar, tokenizer, 5))
    assert (said, [call.name for call in calls]) == ("", ["add"])


def test_thoughts_come_before_the_format(chats):
    made, tokenizer = chats(HERMES, ["<think>", "</think>"])
    prepared = made.prepare(
        ask(response_format={"type": "json_schema", "json_schema": {"schema": {"type": "integer"}}})
    )
    text = write(prepared.grammar, tokenizer, 1, begin="<think>a number, free</think>\n\n")
    said, thought, _ = answer(prepared, text)
    assert thought == "a number, free"
    assert isinstance(json.loads(said), int)
    said, thought, _ = answer(prepared, "12")
    assert (said, thought) == ("12", "")


def test_thinking_is_switched_off_by_the_template(chats):
    made, _ = chats(HERMES)
    assert made.prepare(ask(chat_template_kwargs={"enable_thinking": False})).prompt.endswith("</think>\n\n")
    assert made.prepare(ask(reasoning_effort="none")).prompt.endswith("</think>\n\n")
    assert "<think>" not in made.prepare(ask(reasoning_effort="high")).prompt


def test_format_and_required_call_exclude_each_other(chats):
    made, _ = chats(HERMES)
    with pytest.raises(BadRequestError, match="together"):
        made.prepare(ask(tools=[TOOL], tool_choice="required", response_format={"type": "json_object"}))


def test_format_and_tools_are_a_call_or_the_format(chats):
    made, tokenizer = chats(HERMES)
    prepared = made.prepare(ask(tools=[TOOL], response_format={"type": "json_object"}))
    matcher = prepared.grammar.matcher(tokenizer)
    for text in ('{"x": 1}', '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'):
        one = matcher.deep_copy()
        assert one.consume_tokens(tokenizer.encode(text, add_special=False)), one.get_error()
        assert one.is_accepting()
    assert not matcher.consume_tokens(tokenizer.encode("Hello", add_special=False))
