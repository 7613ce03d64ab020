"""What the backend says of a model, and which options it takes."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from uml_core.types import Match, ModelSource, Rejected
from uml_llamaserver import plugin
from uml_llamaserver.options import Options


def verdict(settings=None, **source):
    model = ModelSource(**{"path": Path("m.gguf"), "format": "gguf", "files": (), "size_bytes": 1, **source})
    return plugin.uml_detect_backend(model=model, settings=settings or {})


def test_a_program_is_enough():
    assert isinstance(verdict({"binary": sys.executable}), Match)


def test_a_program_that_is_not_there():
    said = verdict({"binary": Path("/nowhere/llama-server")})
    assert said == Rejected("'/nowhere/llama-server' is no program", said.hint)
    assert "[plugins.llamaserver]" in said.hint


def test_other_formats_are_not_its_business():
    assert verdict(format="safetensors") is None


@pytest.mark.parametrize(
    ("tasks", "served"),
    [
        ((), None),
        (("feature-extraction",), ("feature-extraction",)),
        (("text-ranking",), ("text-ranking",)),
        (("image-text-to-text", "text-generation"), ("text-generation",)),
    ],
)
def test_what_it_does_with_a_model(tasks, served):
    assert verdict({"binary": sys.executable}, tasks=tasks).tasks == served


def test_what_it_can_do_nothing_with():
    said = verdict({"binary": sys.executable}, tasks=("text-to-speech",))
    assert said == Rejected("is for text-generation and feature-extraction and text-ranking, not for text-to-speech")


@pytest.mark.parametrize(("name", "word"), [("n_ctx", "context_length"), ("n_parallel", "parallel")])
def test_what_core_has_a_word_for_is_no_option(name, word):
    with pytest.raises(ValidationError, match=f"'{name}' is extra: say {word}"):
        Options.model_validate({name: 4096})


@pytest.mark.parametrize(
    "options",
    [{"n_batch": 0}, {"n_batch": 10**12}, {"flash_attn": True}, {"cache_type_k": "q3"}, {"tensor_split": [1] * 17}],
)
def test_options_out_of_bounds(options):
    with pytest.raises(ValidationError):
        Options.model_validate(options)


def test_cached_values_of_few_bits_need_flash_attention():
    with pytest.raises(ValidationError, match="of the type q8_0 need flash attention"):
        Options(flash_attn="off", cache_type_v="q8_0")
    assert Options(flash_attn="off", cache_type_k="q8_0", cache_type_v="bf16").cache_type_k == "q8_0"
    assert Options(flash_attn="auto", cache_type_v="q4_0").cache_type_v == "q4_0"
