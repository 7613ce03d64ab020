"""The gateway's side: what a body may ask for, and how the worker is told."""

import pytest
from pydantic import ValidationError

from uml_core.errors import BadRequestError
from uml_core.tasks.chat import CreateChatCompletionRequest

MESSAGES = [{"role": "user", "content": "x"}]


def forwarded(**body):
    made = CreateChatCompletionRequest.model_validate({"messages": MESSAGES, **body}).forwarded("m")
    return {name: value for name, value in made.items() if name not in {"messages", "model"}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"structured_outputs": {"json": {"type": "integer"}}}, {"json_schema": {"type": "integer"}}),
        ({"structured_outputs": {"json": '{"type": "integer"}'}}, {"json_schema": {"type": "integer"}}),
        ({"structured_outputs": {"json_object": True}}, {"response_format": {"type": "json_object"}}),
        ({"structured_outputs": {"choice": ["a", "é\n"]}}, {"grammar": 'root ::= "a" | "é\\n"'}),
        ({"guided_json": {"type": "integer"}}, {"json_schema": {"type": "integer"}}),
        ({"guided_regex": "a+"}, {"regex": "a+"}),
        ({"guided_choice": ["a"]}, {"grammar": 'root ::= "a"'}),
        ({"guided_grammar": "root ::= x"}, {"grammar": "root ::= x"}),
        ({"regex": "a+"}, {"regex": "a+"}),
        ({"chat_template_kwargs": {"enable_thinking": False}}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ],
)
def test_one_form_reaches_the_worker(body, told):
    assert forwarded(**body) == told


@pytest.mark.parametrize(
    "body",
    [
        {"structured_outputs": {}},
        {"structured_outputs": {"json": {"a": 1}, "regex": "a"}},
        {"guided_json": "{x"},
        {"guided_json": "[1]"},
        {"guided_json": '{"items":' * 5000 + "{}" + "}" * 5000},
        {"guided_json": '{"items":' * 400 + "{}" + "}" * 400},
        {"guided_json": {"a": 1}, "json_schema": {"b": 1}},
        {"guided_choice": ["a"], "grammar": "root ::= x"},
    ],
)
def test_two_or_none_are_refused(body):
    with pytest.raises(BadRequestError) as caught:
        forwarded(**body)
    assert caught.value.param in body


@pytest.mark.parametrize(
    "body",
    [
        {"chat_template_kwargs": {"a": {"b": 1}}},
        {"chat_template_kwargs": {str(n): 1 for n in range(33)}},
        {"guided_choice": []},
        {"regex": "a" * 5000},
        {"guided_json": {"description": "x" * 70_000}},
        {"reasoning_effort": "very"},
        {"documents": [{"text": 1}]},
    ],
)
def test_bounds(body):
    with pytest.raises(ValidationError):
        forwarded(**body)
