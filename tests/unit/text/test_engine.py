"""Many answers at once, each as if it were alone."""

import itertools

import attrs
import numpy as np
import pytest

from uml_core.errors import BadRequestError, ContextLengthExceededError, InternalServerError, TaskNotSupportedError
from uml_core.testing.driving import drive
from uml_core.worker import ChatRequest, CompletionRequest
from uml_core.worker.delta import WAIT

PROMPTS = ["the quick brown fox", "a", "jumps over the lazy dog and then it says", "the quick brown dog", "1 2 3", "ü"]
LONG = "numbers are 1 2 3 4 5 6 7 8 9 0 and then the lazy dog jumps over the quick brown fox"


def ask(prompt, **more):
    return CompletionRequest.read({"prompt": prompt, "temperature": 0, **more})


@pytest.mark.parametrize("batch", [1, 3, 16, 512])
@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize(("copies", "rewinds"), [(True, True), (False, True), (False, False)])
def test_each_answer_is_as_if_it_were_alone(make, batch, slots, copies, rewinds):
    engine, model = make(slots=slots, batch=batch, copies=copies, rewinds=rewinds)
    said = {prompt: model.says(prompt, 30) for prompt in [*PROMPTS, LONG]}
    assert len(set(said.values())) == len(said)
    asked = [ask(prompt, max_tokens=30) for prompt in [*said, *reversed(said), LONG, LONG]]
    for prompt, told in zip([*said, *reversed(said), LONG, LONG], drive(engine, *asked, late=5), strict=True):
        assert told.text == said[prompt]
        assert told.prompt_tokens == len(model.tokenizer.encode(prompt, add_special=True))


def computed(model):
    return sum(len(row.tokens) for rows in model.steps for row in rows)


def test_what_was_computed_before_is_used_again(make):
    engine, model = make(context_length=400)
    (first,) = drive(engine, ask(LONG, max_tokens=4))
    assert first.cached_tokens == 0
    before = computed(model)
    (again,) = drive(engine, ask(LONG, max_tokens=1))
    assert again.cached_tokens == again.prompt_tokens - 1
    assert computed(model) == before + 1
    (longer,) = drive(engine, ask(f"{LONG} and so on", max_tokens=1))
    assert longer.cached_tokens >= first.prompt_tokens - 2
    (other,) = drive(engine, ask(f"the {LONG}", max_tokens=1))
    assert other.cached_tokens < 2


def test_two_conversations_keep_a_slot_each(make):
    engine, _ = make(slots=2, context_length=400)
    one, other = LONG, LONG[::-1]
    for _ in range(3):
        told = [*drive(engine, ask(one, max_tokens=1)), *drive(engine, ask(other, max_tokens=1))]
    assert [answer.cached_tokens for answer in told] == [answer.prompt_tokens - 1 for answer in told]


def test_a_short_question_does_not_take_the_long_conversations_slot(make):
    engine, _ = make(slots=2, context_length=400)
    drive(engine, ask(LONG, max_tokens=1))
    drive(engine, ask(LONG[:8], max_tokens=1))
    (told,) = drive(engine, ask(LONG, max_tokens=1))
    assert told.cached_tokens == told.prompt_tokens - 1


def test_answers_to_the_same_prompt_read_it_once(make):
    engine, model = make(slots=4, batch=8)
    told = drive(engine, *[ask(LONG * 2, max_tokens=1)] * 4)
    assert computed(model) == told[0].prompt_tokens + 3
    assert [answer.cached_tokens for answer in told] == [0] + [told[0].prompt_tokens - 1] * 3


def test_who_waits_for_a_reader_that_leaves_reads_itself(make):
    engine, model = make(slots=2, batch=4)
    asked = engine.prepare(ask(LONG * 2, max_tokens=3))
    leader, follower = engine.complete(asked), engine.complete(asked)
    while next(leader) is not WAIT:
        pass
    assert next(follower) is WAIT
    engine.step()
    leader.close()
    assert drive(engine, ask(LONG * 2, max_tokens=3))[0].text == model.says(LONG * 2, 3)


def test_a_long_prompt_does_not_stop_the_others(make):
    engine, model = make(slots=2, batch=8)
    drive(engine, ask("a", max_tokens=8), ask(LONG, max_tokens=1), late=1)
    mixed = [rows for rows in model.steps if len(rows) == 2]
    assert len(mixed) >= 3
    assert all(len(rows[0].tokens) == 1 for rows in mixed)


def test_why_an_answer_ends(make):
    engine, model = make(context_length=60)
    (told,) = drive(engine, ask("a", max_tokens=3))
    assert (told.reason, told.completion_tokens) == ("length", 3)
    model.script.extend([5, 6, 1])
    (told,) = drive(engine, ask("a"))
    assert (told.reason, told.completion_tokens) == ("stop", 2)
    (told,) = drive(engine, ask("a", logit_bias={"1": -1000}))
    assert (told.reason, told.prompt_tokens + told.completion_tokens) == ("length", 60)


def test_a_prompt_that_is_too_long(make):
    engine, _ = make(context_length=8)
    with pytest.raises(ContextLengthExceededError, match=r"has 9 tokens, but the context holds 8 with the answer"):
        engine.prepare(ask([5] * 9))
    with pytest.raises(ContextLengthExceededError):
        engine.prepare(ask([5] * 8))
    assert drive(engine, ask([5] * 7))[0].completion_tokens == 1


@pytest.mark.parametrize("prompt", ["", [10**6], [-1]])
def test_prompts_that_make_no_sense(make, prompt):
    with pytest.raises(BadRequestError, match="'prompt'"):
        make()[0].prepare(ask(prompt))


@pytest.mark.parametrize(
    "wrong",
    [
        {"logit_bias": {"999999": 1}},
        {"logit_bias": {"x": 1}},
        {"logit_bias": {"1": "y"}},
        {"logit_bias": {"1": float("inf")}},
        {"logit_bias": [1]},
        {"logit_bias": {"-1": 1}},
        {"repeat_penalty": 0},
        {"typical_p": "much"},
        {"repeat_last_n": True},
    ],
)
def test_wishes_that_make_no_sense(make, wrong):
    with pytest.raises(BadRequestError, match=f"'{next(iter(wrong))}'"):
        make()[0].prepare(ask("a", **wrong))


def test_a_seed_is_one_answers_own(make):
    engine, _ = make(slots=4)
    hot = {"temperature": 1.5, "max_tokens": 12, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    several = ask("the fox", n=3, seed=5, **hot).each()
    first, *others = drive(engine, *several, ask("a", **hot))[:3]
    assert len({first.text, *(other.text for other in others)}) == 3
    assert drive(engine, ask("the fox", seed=5, **hot))[0].text == first.text
    assert drive(engine, ask("the fox", seed=6, **hot))[0].text == others[0].text
    assert len({drive(engine, ask("the fox", seed=seed, **hot))[0].text for seed in (-1, -1, None)}) == 3


def test_a_step_that_fails_is_not_the_end(make):
    engine, model = make(slots=2)
    expected = model.says("the fox", 5)
    model.fails.extend([None, None, RuntimeError("the device is gone")])
    with pytest.raises(RuntimeError, match="the device is gone"):
        drive(engine, ask("the fox", max_tokens=5), ask(LONG, max_tokens=5))
    assert [told.text for told in drive(engine, *[ask("the fox", max_tokens=5)] * 2)] == [expected] * 2


def test_an_answer_whose_reader_is_behind_is_told_of_a_failed_step(make):
    engine, model = make(slots=2)
    behind = engine.complete(engine.prepare(ask("the fox", max_tokens=5)))
    while next(behind) is not WAIT:
        pass
    model.fails.append(RuntimeError("the device is gone"))
    with pytest.raises(RuntimeError):
        engine.step()
    with pytest.raises(InternalServerError, match="the device is gone"):
        next(behind)


def test_a_model_that_gives_no_numbers_is_an_error(make):
    engine, model = make()
    model.after = lambda tokens: np.full(320, np.nan, np.float32)
    with pytest.raises(FloatingPointError):
        drive(engine, ask("a"))


def test_a_cancel_within_a_step(make):
    engine, model = make(batch=8)
    asked = itertools.count()
    request = attrs.evolve(ask(LONG, max_tokens=1), cancelled=lambda: next(asked) >= 2)
    answer = engine.complete(engine.prepare(request))
    while next(answer) is not WAIT:
        pass
    for _ in range(5):
        engine.step()
    assert computed(model) == 5 * 8
    answer.close()
    assert [len(tokens) for tokens in model.held] == [16]
    (told,) = drive(engine, ask(LONG, max_tokens=1))
    assert told.cached_tokens == 16


def test_a_chat_needs_a_template(make):
    request = ChatRequest.read({"messages": [{"role": "user", "content": "hi"}]})
    with pytest.raises(TaskNotSupportedError, match="has no chat template"):
        make()[0].prepare(request)


def test_all_is_given_back(make):
    engine, model = make()
    engine.close()
    assert model.closed
