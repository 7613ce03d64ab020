"""What is refused unless the engine honours it."""

import pytest

from uml_core.errors import BadRequestError
from uml_core.worker import ChatRequest
from uml_core.worker.support import check_supported

TOOL = {"type": "function", "function": {"name": "look"}}


def asking(**fields):
    return ChatRequest.read({"messages": [{"role": "user", "content": "x"}], **fields})


ASKED = {
    "tools": [TOOL],
    "functions": [{"name": "look"}],
    "logprobs": True,
    "response_format": {"type": "json_object"},
    "json_schema": {"type": "object"},
    "grammar": "root ::= x",
    "regex": "a+",
    "logit_bias": {"1": 5},
    "chat_template_kwargs": {"enable_thinking": False},
    "echo": True,
    "suffix": "x",
    "best_of": 3,
}


@pytest.mark.parametrize("name", ASKED)
def test_what_nobody_honours_is_refused_by_its_name(name):
    request = asking(**{name: ASKED[name]})
    with pytest.raises(BadRequestError, match=f"can't honour '{name}'") as raised:
        check_supported(request, ())
    assert raised.value.param == name
    check_supported(request, (name,))


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": []},
        {"logprobs": False},
        {"response_format": {"type": "text"}},
        {"n": 3},
        {"n": 3, "best_of": 3},
        {"reasoning_effort": "low"},
        {"chat_template_kwargs": {}},
    ],
    ids=str,
)
def test_what_asks_for_nothing_passes(fields):
    check_supported(asking(**fields), ())
