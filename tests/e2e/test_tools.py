"""Tools called through every backend: by a tiny model that has learned it, and forced, with any schema of arguments."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from proving.schemas import drawn_tools
from tiny_lessons import TOOLS

validators = pytest.importorskip("jsonschema.validators")
pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
BOTH = [{"role": "user", "content": "What is the weather in Paris and Rome?"}]
TALK = "it talked until max_tokens"
CASES = [pytest.param(range(20), id="a-tenth"), pytest.param(range(20, 200), id="the-rest", marks=pytest.mark.proof)]


def asking(gateway, messages, **rest):
    options = {"model": gateway.model, "messages": messages, "temperature": 0, "max_tokens": 900, **rest}
    return gateway.openai.chat.completions.create(**options)


def called(message):
    return [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]


def gathered(stream):
    """The calls and the text of a stream, put together as clients do."""
    calls, text, reason = {}, "", None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for delta in choice.delta.tool_calls or []:
                call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
                call["id"] += delta.id or ""
                call["name"] += delta.function.name or ""
                call["arguments"] += delta.function.arguments or ""
    return list(calls.values()), text, reason


def test_a_call_and_its_answer(tiny_loaded):
    answer = asking(tiny_loaded, WEATHER, tools=list(TOOLS[:2]))
    message = answer.choices[0].message
    assert called(message) == [("get_weather", {"city": "Paris"})]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert not message.content
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    then = [*WEATHER, message.model_dump(exclude_none=True), result]
    assert asking(tiny_loaded, then, tools=list(TOOLS[:2])).choices[0].message.content == "It is sunny in Paris."


def test_two_calls_at_once(tiny_loaded):
    message = asking(tiny_loaded, BOTH, tools=[TOOLS[0]]).choices[0].message
    assert called(message) == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    assert len({call.id for call in message.tool_calls}) == 2


def test_one_call_if_only_one_is_wanted(tiny_loaded):
    if tiny_loaded.backend == "llamaserver":
        pytest.skip("llama-server takes no notice of parallel_tool_calls, as its plugin's README says")
    message = asking(tiny_loaded, BOTH, tools=[TOOLS[0]], parallel_tool_calls=False).choices[0].message
    assert called(message) == [("get_weather", {"city": "Paris"})]


def test_streamed(tiny_loaded):
    calls, text, reason = gathered(asking(tiny_loaded, BOTH, tools=[TOOLS[0]], stream=True))
    assert [(call["name"], json.loads(call["arguments"])["city"]) for call in calls] == [
        ("get_weather", "Paris"),
        ("get_weather", "Rome"),
    ]
    assert all(call["id"] for call in calls)
    assert (text.strip(), reason) == ("", "tool_calls")


def test_a_question_that_needs_none_of_the_tools(tiny_loaded):
    ask = [{"role": "user", "content": "Who are you?"}]
    answer = asking(tiny_loaded, ask, tools=list(TOOLS[:2]))
    assert answer.choices[0].message.content == "I am a tiny test model."
    assert not answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "stop"


def test_none(tiny_loaded):
    answer = asking(tiny_loaded, WEATHER, tools=[TOOLS[0]], tool_choice="none", max_tokens=60)
    assert not answer.choices[0].message.tool_calls


def test_the_named_one(tiny_loaded):
    named = {"type": "function", "function": {"name": "add"}}
    answer = asking(tiny_loaded, WEATHER, tools=list(TOOLS[:2]), tool_choice=named, seed=1)
    ((name, arguments),) = called(answer.choices[0].message)
    assert name == "add"
    validators.Draft202012Validator(TOOLS[1]["function"]["parameters"]).validate(arguments)


def test_thoughts_before_a_call(tiny_loaded):
    thinking = {"chat_template_kwargs": {"thinking": True}}
    message = asking(tiny_loaded, WEATHER, tools=[TOOLS[0]], extra_body=thinking).choices[0].message
    assert message.reasoning_content.strip() == "I need the weather."
    assert called(message) == [("get_weather", {"city": "Paris"})]


def test_thoughts_before_an_answer(tiny_loaded):
    thinking = {"chat_template_kwargs": {"thinking": True}}
    ask = [{"role": "user", "content": "What is 2+2?"}]
    answer = asking(tiny_loaded, ask, extra_body=thinking)
    assert answer.choices[0].message.reasoning_content.strip() == "Two and two."
    assert answer.choices[0].message.content.strip() == "4"
    stream = list(asking(tiny_loaded, ask, extra_body=thinking, stream=True))
    deltas = [choice.delta for chunk in stream for choice in chunk.choices]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas).strip() == "Two and two."
    assert "".join(delta.content or "" for delta in deltas).strip() == "4"


@pytest.mark.parametrize("numbers", CASES)
def test_every_forced_call_has_arguments_that_follow_their_schema(tiny_loaded, numbers):
    def wrong(number):
        tools = drawn_tools(number)
        try:
            answer = asking(tiny_loaded, WEATHER, tools=tools, tool_choice="required", temperature=1, seed=number)
            if tiny_loaded.backend == "llamaserver" and answer.choices[0].finish_reason == "length":
                return TALK  # llama-server lets a model talk before the call, which this one can do without end
            return wrong_with(answer.choices[0], tools)
        except Exception as error:
            return repr(error)

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(numbers, pool.map(wrong, numbers), strict=True))
    talks = sum(told == TALK for told in found.values())
    assert not {number: told for number, told in found.items() if told and told != TALK}
    assert talks < len(numbers) / 5


def wrong_with(choice, tools):
    """What is wrong with the calls of an answer; nothing, if they are as they have to be."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    calls = called(choice.message)
    if choice.finish_reason != "tool_calls" or not calls:
        return f"it ended with {choice.finish_reason!r} and {len(calls)} calls: {choice.message}"
    errors = [
        error.message
        for name, arguments in calls
        for error in validators.Draft202012Validator(schemas[name]).iter_errors(arguments)
    ]
    return "; ".join(errors)


@pytest.mark.parametrize("numbers", [pytest.param(range(5), id="some"), CASES[1]])
def test_forced_calls_streamed_and_whole_are_the_same(tiny_loaded, numbers):
    for number in list(numbers)[:40]:
        tools = drawn_tools(number)
        options = {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False}
        whole = asking(tiny_loaded, WEATHER, **options).choices[0]
        calls, _, reason = gathered(asking(tiny_loaded, WEATHER, **options, stream=True))
        told = [(call["name"], json.loads(call["arguments"])) for call in calls]
        assert (told, reason) == (called(whole.message), whole.finish_reason), f"tools {number}"
