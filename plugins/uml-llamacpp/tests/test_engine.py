"""The engine with the real model, in this process."""

import itertools
import json
from pathlib import Path

import attrs
import pytest

pytest.importorskip("llama_cpp")

from uml_core.errors import (
    BadRequestError,
    ContextLengthExceededError,
    InvalidModelFileError,
    ModelLoadError,
    TaskNotSupportedError,
)
from uml_core.inspection.gguf import read
from uml_core.testing.driving import drive
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelSource, Plan
from uml_core.worker import ChatRequest, CompletionRequest
from uml_core.worker.delta import WAIT
from uml_llamacpp.worker import load

pytestmark = pytest.mark.engine

CONTEXT = 256


def planned(source, *, parallel=1, **options):
    return Plan(
        model_id="org/smol",
        model=source,
        backend="llamacpp",
        tasks=(),
        context_length=CONTEXT,
        parallel=parallel,
        options=options,
    )


@pytest.fixture(scope="module")
def source(smollm2):
    return read(smollm2)


@pytest.fixture(scope="module")
def engine(source):
    engine = load(planned(source), lambda progress: None)
    yield engine
    engine.close()


def chat(text, **more):
    return ChatRequest.read({"messages": [{"role": "user", "content": text}], "temperature": 0, **more})


def complete(prompt, **more):
    return CompletionRequest.read({"prompt": prompt, "temperature": 0, **more})


def ask(engine, text, **more):
    return drive(engine, chat(text, **more))[0]


def go_on(engine, prompt, **more):
    return drive(engine, complete(prompt, **more))[0]


def test_chat_uses_the_models_own_template(engine):
    told = ask(engine, "Say hi.", max_tokens=16)
    assert told.text.strip()
    assert "<|im_" not in told.text
    written = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    prompt = f"{written}<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    again = go_on(engine, prompt, max_tokens=16)
    assert (again.text, again.reason, again.prompt_tokens) == (told.text, told.reason, told.prompt_tokens)


def test_counts_and_reasons(engine):
    told = go_on(engine, "One, two, three,", max_tokens=5)
    assert (told.reason, told.prompt_tokens, told.completion_tokens) == ("length", 6, 5)
    told = ask(engine, "What is 1+1? Answer with one word.", max_tokens=200)
    assert told.reason == "stop"
    assert 0 < told.completion_tokens < 200


def test_tokens_are_a_prompt_too(engine):
    tokens = engine.model.tokenizer.encode("The capital of France is", add_special=True)
    said = go_on(engine, "The capital of France is", max_tokens=3).text
    assert go_on(engine, tokens, max_tokens=3).text == said


def test_a_seed_gives_the_same_answer_again(engine):
    first, again, other = (
        go_on(engine, "Once upon a time", max_tokens=12, temperature=1.5, seed=seed).text for seed in (7, 7, 8)
    )
    assert first == again != other


@pytest.mark.parametrize(
    "sampling",
    [
        {"top_k": 1},
        {"top_k": -1, "top_p": 0.9, "min_p": 0.1, "temperature": 0.7},
        {"presence_penalty": 1, "frequency_penalty": 1, "repeat_penalty": 1.2, "repeat_last_n": 8},
        {"typical_p": 0.9, "temperature": 1},
        {"seed": -1, "temperature": 1},
    ],
)
def test_sampling_parameters(engine, sampling):
    assert go_on(engine, "Once upon a time", max_tokens=4, **sampling).completion_tokens == 4


def test_a_bias_forbids_a_token(engine):
    text = go_on(engine, "The capital of France is", max_tokens=1).text
    (token,) = engine.model.tokenizer.encode(text, add_special=False)
    assert go_on(engine, "The capital of France is", max_tokens=1, logit_bias={str(token): -100}).text != text


@pytest.mark.parametrize("bias", [{"999999": 1}, {"x": 1}, {"1": "y"}, [1], {"-1": 1}])
def test_a_bias_that_makes_no_sense(engine, bias):
    with pytest.raises(BadRequestError, match="'logit_bias'"):
        go_on(engine, "x", logit_bias=bias)


SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


@pytest.mark.parametrize(
    "wanted",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"json_schema": SCHEMA},
        {"grammar": 'root ::= "{\\"age\\": " [0-9]{1,3} "}"'},
    ],
)
def test_an_answer_in_a_shape(engine, wanted):
    told = ask(engine, "How old is the Eiffel Tower? Answer in JSON.", max_tokens=40, **wanted)
    assert told.reason == "stop"
    assert isinstance(json.loads(told.text)["age"], int)


@pytest.mark.parametrize(
    "wanted",
    [
        {"grammar": "root ::= ("},
        {"response_format": {"type": "yaml"}},
        {"response_format": "json"},
        {"response_format": {"type": "json_schema"}},
        {"json_schema": {"$ref": "https://example.org/schema.json"}},
        {"json_schema": {"type": 7}},
    ],
)
def test_a_shape_that_can_not_be(engine, wanted):
    with pytest.raises(BadRequestError):
        ask(engine, "x", **wanted)


def test_a_prompt_that_is_too_long_says_both_numbers_before_any_token(engine):
    with pytest.raises(ContextLengthExceededError, match=rf"has 5\d\d tokens, but the context holds {CONTEXT}"):
        engine.prepare(chat("word " * 2 * CONTEXT))


def test_an_answer_ends_where_the_context_does(engine):
    prompt = [5000] * (CONTEXT - 3)
    told = go_on(engine, prompt, logit_bias={"0": -100, "2": -100})
    assert (told.reason, told.prompt_tokens, told.completion_tokens) == ("length", CONTEXT - 3, 3)


@pytest.mark.parametrize("prompt", ["", [10**6], [-1]])
def test_prompts_that_make_no_sense(engine, prompt):
    with pytest.raises(BadRequestError, match="'prompt'"):
        go_on(engine, prompt)


def test_what_two_prompts_share_is_computed_once(engine):
    long = "This is a rather long beginning of a text, which both of the prompts have. " * 10
    first = go_on(engine, f"{long}One", max_tokens=4)
    again = go_on(engine, f"{long}One", max_tokens=4)
    assert (again.text, again.cached_tokens) == (first.text, first.prompt_tokens - 1)
    assert 0 < go_on(engine, f"{long}Two", max_tokens=1).cached_tokens < first.prompt_tokens
    assert go_on(engine, f"{long}One", max_tokens=4).text == first.text


def test_a_cancel_reaches_into_the_reading_of_a_prompt(engine):
    asked = itertools.count()
    go_on(engine, "x", max_tokens=1)
    request = attrs.evolve(complete([5000] * 250, max_tokens=1), cancelled=lambda: next(asked) > 20)
    answer = engine.complete(engine.prepare(request))
    assert next(answer).prompt_tokens == 250
    assert next(answer) is WAIT
    engine.step()
    assert 20 < next(asked) < 100
    assert next(answer) is WAIT
    answer.close()
    assert go_on(engine, [5000] * 250, max_tokens=1).cached_tokens == 0
    assert go_on(engine, "One, two, three,", max_tokens=4).text.strip()


def test_closing_between_tokens_leaves_the_engine_usable(engine):
    answer = engine.chat(engine.prepare(chat("Count to one hundred.")))
    for _ in range(6):
        engine.step()
        next(answer)
    answer.close()
    assert ask(engine, "Say hi.", max_tokens=4).completion_tokens == 4


PROMPTS = ["Count from 1 to 10.", "Say hi.", "What is 1+1? Answer with one word.", "Name a colour."]


def test_several_at_once_say_what_each_says_alone(source, engine):
    several = load(planned(source, parallel=3), lambda progress: None)
    assert several.parallel == 3
    asked = [chat(text, max_tokens=24) for text in PROMPTS * 2]
    said = drive(several, *asked, late=3)
    several.close()
    assert said[0].text == "1. 1\n2. 2\n3. 3\n4. 4\n5. 5"
    assert [told.text for told in said] == [ask(engine, text, max_tokens=24).text for text in PROMPTS * 2]


def test_what_one_has_read_another_gets(source):
    several = load(planned(source, parallel=3, n_batch=64), lambda progress: None)
    long = "This is a rather long beginning of a text, which both of the prompts have. " * 8
    said = drive(several, *[complete(f"{long}One", max_tokens=8)] * 3)
    assert [told.cached_tokens for told in said] == [0, *[said[0].prompt_tokens - 1] * 2]
    assert said[0].text == said[1].text == said[2].text
    (told,) = drive(several, complete(f"{long}Two", max_tokens=8))
    assert told.cached_tokens > said[0].prompt_tokens - 4
    several.close()


def test_each_of_several_may_fill_the_whole_context(source):
    several = load(planned(source, parallel=2), lambda progress: None)
    bias = {str(end): -100 for end in several.model.tokenizer.ends}
    prompts = [[token] * (CONTEXT - 3) for token in (5000, 6000, 7000)]
    for told in drive(several, *[complete(prompt, logit_bias=bias) for prompt in prompts]):
        assert (told.reason, told.completion_tokens) == ("length", 3)
    several.close()


def test_what_the_model_thought_of_each_token(engine):
    told = go_on(engine, "One, two, three, four,", max_tokens=4, logprobs=3)
    assert b"".join(logprob.bytes for logprob in told.logprobs).decode() == told.text
    for logprob in told.logprobs:
        assert len(logprob.top) == 3
        assert logprob.top[0].token == logprob.token
        assert logprob.top[0].logprob == pytest.approx(logprob.logprob)
        assert logprob.logprob < 0


def test_a_stop_text_ends_the_answer(engine):
    text = go_on(engine, "One, two, three, four,", max_tokens=8).text
    assert " six," in text
    told = go_on(engine, "One, two, three, four,", max_tokens=8, stop=["ix, s", "never"])
    assert (told.text, told.reason) == (text[: text.index("ix, s")], "stop")


def test_progress_rises_while_it_loads(source):
    parts = []
    load(planned(source, n_batch=64, type_k="q8_0", use_mmap=False), parts.append).close()
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0.0, 1.0)


def test_a_model_without_a_template_completes_but_does_not_chat(smollm2, tmp_path):
    path = tmp_path / "base.gguf"
    path.write_bytes(smollm2.read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.chat_nothings", 1))
    engine = load(planned(read(path)), lambda progress: None)
    with pytest.raises(TaskNotSupportedError, match="has no chat template"):
        engine.prepare(chat("hi"))
    assert go_on(engine, "Once upon a", max_tokens=2).completion_tokens == 2
    engine.close()


def _at(path):
    return ModelSource(path=Path(path), format="gguf", files=(), size_bytes=0)


def test_a_truncated_file(smollm2, tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(smollm2.read_bytes()[: 2**22])
    with pytest.raises(InvalidModelFileError, match=rf"can't load '{path}': .*not within the file bounds"):
        load(planned(_at(path)), lambda progress: None)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidModelFileError, match="failed to open GGUF file"):
        load(planned(_at(tmp_path / "gone.gguf")), lambda progress: None)


def test_an_architecture_that_the_engine_does_not_know(tmp_path):
    path = write_gguf(tmp_path / "new.gguf", {"general.architecture": "tomorrow"}, tensors={"x": [32]})
    with pytest.raises(ModelLoadError, match="unknown model architecture: 'tomorrow'"):
        load(planned(_at(path)), lambda progress: None)
