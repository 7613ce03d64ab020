"""What is counted for the penalties, and what a constraint allows."""

import json
from collections import Counter

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher

from uml_core.errors import BadRequestError, InternalServerError
from uml_core.testing.driving import drive
from uml_core.worker import CompletionRequest
from uml_core.worker.delta import WAIT
from uml_core.worker.text.choice import Choice
from uml_core.worker.text.constraint import Constraint
from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
from uml_core.worker.text.slots import Slot
from uml_core.worker.text.turn import Turn


def turn(constraint=None):
    return Turn(Slot(0), Choice(), constraint=constraint, cancelled=lambda: False)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)), st.integers(-1, 8))
def test_the_last_tokens_count(prompt, said, last_n):
    counting = turn()
    counting.penalize(prompt, last_n)
    for token in said:
        assert counting.accept(token)
    everything = prompt + said
    kept = everything if last_n < 0 else everything[len(everything) - min(last_n, len(everything)) :]
    assert counting.choice.counts == Counter(kept)


def test_without_penalties_nothing_is_counted():
    counting = turn()
    counting.accept(5)
    assert not counting.choice.counts


def constraint(tokenizer, grammar):
    return Constraint(LLMatcher(tokenizer.constraints(), grammar), tokenizer)


def allowed(mask):
    return set(np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")).tolist())


def test_only_what_the_grammar_has_may_come(tokenizer):
    held = constraint(tokenizer, 'start: "a" | "b"')
    a, b = (tokenizer.encode(text, add_special=False)[0] for text in "ab")
    following = turn(held)
    assert allowed(following.constrain().mask) == {a, b}
    assert not following.accept(b)


def test_where_the_end_may_come_the_end_token_may(tokenizer):
    held = constraint(tokenizer, 'start: "a"+')
    (a,) = tokenizer.encode("a", add_special=False)
    held.accept(a)
    assert not held.ended
    assert allowed(held.mask()) >= {a, *tokenizer.ends}


def test_each_answer_follows_the_grammar_by_itself(tokenizer):
    matcher = LLMatcher(tokenizer.constraints(), 'start: "ab"')
    one, other = Constraint(matcher, tokenizer), Constraint(matcher, tokenizer)
    before = allowed(other.mask())
    one.accept(min(allowed(one.mask())))
    assert allowed(other.mask()) == before


def test_what_can_not_be_followed_is_one_answers_error(tokenizer):
    held = constraint(tokenizer, 'start: "a"')
    with pytest.raises(InternalServerError, match="can't be kept in the shape"):
        held.accept(tokenizer.encode("z", add_special=False)[0])


@pytest.mark.parametrize("fewer", [20, 64])
def test_a_model_that_gives_fewer_logits_than_there_are_tokens(tokenizer, fewer):
    """Added tokens that nobody has trained; what only they could go on with can't be followed."""
    short = HuggingFaceTokenizer(tokenizer.tokenizer, config={}, generation={}, n_vocab=tokenizer.n_vocab - fewer)
    (a,) = tokenizer.encode("a", add_special=False)
    assert allowed(constraint(short, 'start: "a"').mask()) == {a}
    with pytest.raises(BadRequestError, match="none of the tokens that the model knows"):
        constraint(short, f"start: <[{tokenizer.n_vocab - 1}]>").mask()


def test_an_answer_that_can_not_be_followed_is_no_other_ones_error(make):
    engine, model = make(slots=2)
    body = {"prompt": "x", "max_tokens": 5, "temperature": 0}
    held = engine.complete(engine.prepare(CompletionRequest.read({**body, "grammar": 'root ::= "abcdef"'})))
    while next(held) is not WAIT:
        pass
    (turn,) = engine._batch._turns
    turn._constraint._matcher.consume_token(0)
    assert drive(engine, CompletionRequest.read(body))[0].text == model.says("x", 5)
    with pytest.raises(InternalServerError, match="can't be kept in the shape"):
        next(held)


SCHEMAS = [
    {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False},
    {"type": "array", "items": {"enum": ["été", "fox", 3]}, "minItems": 1, "maxItems": 3},
    {"anyOf": [{"type": "boolean"}, {"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]}]},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("slots", [1, 3])
def test_even_dice_write_what_was_asked_for(make, schema, slots):
    engine, _ = make(slots=slots, context_length=2000)
    body = {"prompt": "x", "temperature": 1, "max_tokens": 1500, "seed": 3, "n": 6, "json_schema": schema}
    told = drive(engine, *CompletionRequest.read(body).each())
    ended = [answer.text for answer in told if answer.reason == "stop"]
    assert ended
    for text in ended:
        jsonschema.validate(json.loads(text), schema)
    assert drive(engine, CompletionRequest.read(body))[0].text == told[0].text
