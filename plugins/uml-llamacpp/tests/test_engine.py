"""The engine with the real model, in this process."""

import itertools
import json
import time
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
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelSource, Plan
from uml_core.worker import ChatRequest, CompletionRequest, Delta
from uml_core.worker.transcript import Transcript
from uml_llamacpp.worker import load

pytestmark = pytest.mark.engine

CONTEXT = 256


def planned(source, **options):
    return Plan(
        model_id="org/smol", model=source, backend="llamacpp", tasks=(), context_length=CONTEXT, options=options
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


def told(pieces, request):
    """The text and the end, as a client would get them."""
    transcript = Transcript(request)
    texts = []
    for piece in pieces:
        texts.append(transcript.add(piece))
        if transcript.ended:
            break
    last, finish = transcript.finish()
    return "".join([*texts, last]), finish


def ask(engine, text, **more):
    request = chat(text, **more)
    return told(engine.chat(request), request)


def go_on(engine, prompt, **more):
    request = complete(prompt, **more)
    return told(engine.complete(request), request)


def test_chat_uses_the_models_own_template(engine):
    text, finish = ask(engine, "Say hi.", max_tokens=16)
    assert text.strip()
    assert "<|im_" not in text
    written = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    prompt = f"{written}<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    assert go_on(engine, prompt, max_tokens=16) == (text, finish)


def test_counts_and_reasons(engine):
    _, finish = go_on(engine, "One, two, three,", max_tokens=5)
    assert (finish.reason, finish.prompt_tokens, finish.completion_tokens) == ("length", 6, 5)
    _, finish = ask(engine, "What is 1+1? Answer with one word.", max_tokens=200)
    assert finish.reason == "stop"
    assert 0 < finish.completion_tokens < 200


def test_tokens_are_a_prompt_too(engine):
    tokens = engine._model.tokenize("The capital of France is", add_special=True)
    assert go_on(engine, tokens, max_tokens=3) == go_on(engine, "The capital of France is", max_tokens=3)


def test_a_seed_gives_the_same_answer_again(engine):
    first, again, other = (
        go_on(engine, "Once upon a time", max_tokens=12, temperature=1.5, seed=seed)[0] for seed in (7, 7, 8)
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
    assert go_on(engine, "Once upon a time", max_tokens=4, **sampling)[1].completion_tokens == 4


def test_a_bias_forbids_a_token(engine):
    text, _ = go_on(engine, "The capital of France is", max_tokens=1)
    (token,) = engine._model.tokenize(text, add_special=False)
    assert go_on(engine, "The capital of France is", max_tokens=1, logit_bias={str(token): -100})[0] != text


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
    text, finish = ask(engine, "How old is the Eiffel Tower? Answer in JSON.", max_tokens=40, **wanted)
    assert finish.reason == "stop"
    assert isinstance(json.loads(text)["age"], int)


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
        next(engine.chat(chat("word " * 2 * CONTEXT)))


def test_an_answer_ends_where_the_context_does(engine):
    prompt = [5000] * (CONTEXT - 3)
    _, finish = go_on(engine, prompt, logit_bias={"0": -100, "2": -100})
    assert (finish.reason, finish.prompt_tokens, finish.completion_tokens) == ("length", CONTEXT - 3, 3)


@pytest.mark.parametrize("prompt", ["", [10**6], [-1]])
def test_prompts_that_make_no_sense(engine, prompt):
    with pytest.raises(BadRequestError, match="'prompt'"):
        go_on(engine, prompt)


def test_what_two_prompts_share_is_computed_once(engine):
    long = "This is a rather long beginning of a text, which both of the prompts have. " * 10
    first, _ = go_on(engine, f"{long}One", max_tokens=4)
    tokens = engine._model.tokenize(f"{long}One", add_special=True)
    assert engine._sequence.rewind(tokens) == len(tokens) - 1
    assert go_on(engine, f"{long}One", max_tokens=4)[0] == first
    go_on(engine, f"{long}Two", max_tokens=1)
    assert go_on(engine, f"{long}One", max_tokens=4)[0] == first


def test_a_cancel_reaches_into_the_reading_of_a_prompt(engine):
    asked = itertools.count()
    request = attrs.evolve(complete([5000] * 250, max_tokens=1), cancelled=lambda: next(asked) > 20)
    engine._sequence.rewind([0, 0])
    began = time.perf_counter()
    pieces = list(engine.complete(request))
    assert time.perf_counter() - began < 1.0
    assert pieces == [Delta(prompt_tokens=250)]
    assert next(asked) < 100
    assert go_on(engine, "One, two, three,", max_tokens=4)[0].strip()


def test_closing_between_tokens_leaves_the_engine_usable(engine):
    pieces = engine.chat(chat("Count to one hundred."))
    list(itertools.islice(pieces, 6))
    pieces.close()
    assert ask(engine, "Say hi.", max_tokens=4)[1].completion_tokens == 4


def test_a_template_that_refuses_is_a_bad_request(engine):
    request = ChatRequest.read({"messages": [{"role": "user", "content": "x"}]})
    engine._template._formatter._environment.globals["boom"] = 1
    engine._template._formatter, kept = _refusing(engine), engine._template._formatter
    try:
        with pytest.raises(BadRequestError, match="refuses these messages: roles must alternate"):
            engine.chat(request)
    finally:
        engine._template._formatter = kept


def _refusing(engine):
    kind = type(engine._template._formatter)
    return kind(template="{{ raise_exception('roles must alternate') }}", eos_token="", bos_token="")


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
        engine.chat(chat("hi"))
    assert go_on(engine, "Once upon a", max_tokens=2)[1].completion_tokens == 2
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
