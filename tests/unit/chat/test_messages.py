"""Messages, tools and arguments as chat templates get them."""

import pytest

from uml_core.errors import BadRequestError
from uml_core.worker.requests import ChatRequest
from uml_core.worker.text.messages import for_template
from uml_core.worker.text.thinking import template_arguments
from uml_core.worker.text.tools import ToolUse

TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}


def request(**body):
    return ChatRequest.read({"messages": [{"role": "user", "content": "x"}], **body})


def one(message, *, developer=False):
    return for_template([message], developer=developer)[0]


def test_parts_become_one_text():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert one({"role": "user", "content": parts})["content"] == "ab"


def test_other_parts_are_refused():
    with pytest.raises(BadRequestError, match="only text"):
        one({"role": "user", "content": [{"type": "image_url", "image_url": {}}]})


def test_arguments_become_an_object():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = one({"role": "assistant", "content": None, "tool_calls": [call], "name": None})
    assert message["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert message["content"] == ""
    assert "name" not in message


@pytest.mark.parametrize("arguments", ["not json", "[1]", "[" * 5000])
def test_arguments_that_are_no_object_stay(arguments):
    call = {"function": {"name": "f", "arguments": arguments}}
    message = one({"role": "assistant", "tool_calls": [call]})
    assert message["tool_calls"][0]["function"]["arguments"] == arguments


def test_call_without_a_name_is_refused():
    with pytest.raises(BadRequestError, match="name of a function"):
        one({"role": "assistant", "tool_calls": [{"function": {}}]})


def test_developer_is_the_system_unless_the_template_knows_better():
    message = {"role": "developer", "content": "x"}
    assert one(message)["role"] == "system"
    assert one(message, developer=True)["role"] == "developer"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_have_the_names_that_templates_know(name):
    message = one({"role": "assistant", "content": "x", name: "hm"})
    assert (message["reasoning_content"], message["thinking"]) == ("hm", "hm")


@pytest.mark.parametrize(
    ("body", "count", "required", "parallel"),
    [
        ({}, 0, False, True),
        ({"tools": [TOOL]}, 1, False, True),
        ({"tools": [TOOL], "tool_choice": "none"}, 0, False, True),
        ({"tools": [TOOL], "tool_choice": "required"}, 1, True, True),
        ({"tools": [TOOL], "parallel_tool_calls": False}, 1, False, False),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}, 1, True, False),
    ],
)
def test_tool_choice(body, count, required, parallel):
    use = ToolUse.read(request(**body))
    assert (len(use.tools), use.required, use.parallel) == (count, required, parallel)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": "x"},
        {"tools": [{}]},
        {"tools": [TOOL, TOOL]},
        {"tools": [{"function": {"name": "f", "parameters": []}}, {"function": {"name": "g", "parameters": [1]}}]},
        {"tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": "sometimes"},
        {"tools": [TOOL], "tool_choice": {"function": {"name": "g"}}},
    ],
)
def test_wrong_tools_are_refused(body):
    with pytest.raises(BadRequestError) as caught:
        ToolUse.read(request(**body))
    assert caught.value.param in {"tools", "tool_choice"}


def test_effort_is_told_under_every_name():
    assert template_arguments(request(reasoning_effort="low")) == {
        "reasoning_effort": "low",
        "enable_thinking": True,
        "thinking": True,
    }
    assert template_arguments(request(reasoning_effort="none"))["enable_thinking"] is False


def test_template_arguments_go_before_effort():
    arguments = template_arguments(request(reasoning_effort="none", chat_template_kwargs={"enable_thinking": True}))
    assert arguments["enable_thinking"] is True


@pytest.mark.parametrize("name", ["messages", "tools", "bos_token", "chat_template", "tokenize", "__class__"])
def test_other_template_arguments_are_refused(name):
    with pytest.raises(BadRequestError, match="enable_thinking") as caught:
        template_arguments(request(chat_template_kwargs={name: "x"}))
    assert caught.value.param == "chat_template_kwargs"
