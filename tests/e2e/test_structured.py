"""An answer that is to follow a schema follows it, with every backend and for any schema: the model here is tiny.

Of the 200 schemas of `proof` each run of `tests` has a tenth.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from proving.schemas import drawn

validators = pytest.importorskip("jsonschema.validators")
pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
ASK = [{"role": "user", "content": "Say hello."}]
HOT = 2.0
"""So that it wanders through all that a schema allows."""
ENDLESS = "it wrote digits until max_tokens"
"""A number may have digits without end; a tiny model is slow to find out. No other answer may end like that."""
CASES = [pytest.param(range(20), id="a-tenth"), pytest.param(range(20, 200), id="the-rest", marks=pytest.mark.proof)]


def asking(gateway, schema, **rest):
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    options = {"model": gateway.model, "messages": ASK, "max_tokens": 900, "response_format": form, **rest}
    return gateway.openai.chat.completions.create(**options)


def wrong_with(answer, schema):
    """What is wrong with an answer; nothing, if it is as it has to be."""
    choice = answer.choices[0]
    if choice.finish_reason != "stop":
        return f"it ended with {choice.finish_reason!r}: {choice.message.content!r}"
    errors = validators.Draft202012Validator(schema).iter_errors(json.loads(choice.message.content))
    return "; ".join(error.message for error in errors)


@pytest.mark.parametrize("numbers", CASES)
def test_every_answer_follows_its_schema(tiny_loaded, numbers):
    def wrong(number):
        schema = drawn(number)
        try:
            answer = asking(tiny_loaded, schema, seed=number, temperature=HOT)
            if answer.choices[0].finish_reason == "length" and re.search(r"\d{50}$", answer.choices[0].message.content):
                return ENDLESS
            return wrong_with(answer, schema)
        except Exception as error:
            return repr(error)

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(numbers, pool.map(wrong, numbers), strict=True))
    assert not {number: told for number, told in found.items() if told and told != ENDLESS}
    assert sum(told == ENDLESS for told in found.values()) <= len(numbers) / 10


@pytest.mark.parametrize("numbers", [pytest.param(range(5), id="some"), CASES[1]])
def test_streamed_and_whole_are_the_same(tiny_loaded, numbers):
    for number in list(numbers)[:40]:
        schema = drawn(number, fractions=False)
        whole = asking(tiny_loaded, schema, temperature=0)
        stream = asking(tiny_loaded, schema, temperature=0, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert "".join(pieces) == whole.choices[0].message.content, f"schema {number}"
        assert not wrong_with(whole, schema), f"schema {number}"


def test_a_json_object(tiny_loaded):
    answer = tiny_loaded.openai.chat.completions.create(
        model=tiny_loaded.model, messages=ASK, max_tokens=200, seed=1, response_format={"type": "json_object"}
    )
    if answer.choices[0].finish_reason == "stop":  # nothing says that it has to end
        assert isinstance(json.loads(answer.choices[0].message.content), dict)
    else:
        assert answer.choices[0].message.content.lstrip().startswith("{")


def test_an_impossible_schema_is_refused(tiny_loaded):
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonesuch"}}}
    body = {"model": tiny_loaded.model, "messages": ASK, "max_tokens": 9, "response_format": form}
    answer = httpx.post(f"{tiny_loaded.url}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
