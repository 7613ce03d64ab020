"""What can be asked of a model, and what is in its file."""

from __future__ import annotations

import pytest

from uml_core.inspection.gguf import read
from uml_core.testing.gguf import write_gguf


@pytest.mark.parametrize(
    ("architecture", "said", "tasks"),
    [
        ("llama", {}, ("text-generation",)),
        ("tomorrow", {}, ("text-generation",)),
        ("llama", {"pooling_type": 0}, ("text-generation",)),
        ("qwen3", {"pooling_type": 3}, ("feature-extraction",)),
        ("qwen3", {"pooling_type": 4}, ("text-ranking",)),
        ("bert", {"attention.causal": False, "pooling_type": 2}, ("feature-extraction",)),
        ("bert", {}, ("feature-extraction",)),
        ("bert", {"attention.causal": False, "pooling_type": 4}, ("text-ranking",)),
        ("nomic-bert", {"pooling_type": 0}, ("feature-extraction",)),
        ("gemma-embedding", {}, ("feature-extraction",)),
        ("llama", {"attention.causal": False}, ("feature-extraction",)),
        ("dream", {"attention.causal": False}, ("text-generation",)),
        ("qwen3tts", {}, ("text-to-speech",)),
        ("wavtokenizer-dec", {}, ()),
    ],
)
def test_tasks(tmp_path, architecture, said, tasks):
    metadata = {"general.architecture": architecture, **{f"{architecture}.{key}": said[key] for key in said}}
    source = read(write_gguf(tmp_path / "m.gguf", metadata, tensors={"w": (32,)}))
    assert source.tasks == tasks
    assert source.modalities == ("text",)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"]}, (True, False)),
        ({"tokenizer.ggml.model": "none"}, (False, False)),
        ({"tokenizer.huggingface.json": "{}"}, (True, False)),
        ({"tokenizer.ggml.model": "gpt2", "tokenizer.chat_template": "{{ messages }}"}, (True, True)),
        ({"tokenizer.chat_template": "x" * (2**20 + 1)}, (False, True)),
        ({"tokenizer.chat_template.tool_use": "{{ tools }}"}, (False, True)),
        ({"tokenizer.chat_template": ""}, (False, False)),
        ({}, (False, False)),
    ],
)
def test_tokenizer_and_chat_template(tmp_path, metadata, expected):
    source = read(write_gguf(tmp_path / "m.gguf", {"general.architecture": "llama", **metadata}, tensors={"w": (32,)}))
    assert (source.has_tokenizer, source.has_chat_template) == expected


def test_bits_per_weight_are_those_of_the_tensors(tmp_path):
    tensors = {"a": (256, 3), "b": (256,), "c": (64,)}
    path = write_gguf(tmp_path / "m.gguf", {}, tensors=tensors, tensor_types={"a": "Q4_K", "b": "Q6_K"})
    source = read(path)
    assert source.parameters == 768 + 256 + 64
    assert source.bits_per_weight == (3 * 144 + 210 + 64 * 4) * 8 / 1088
    assert source.quantization == "Q4_K"
    assert read(write_gguf(tmp_path / "n.gguf")).bits_per_weight is None


def test_what_is_no_model_has_no_tasks_and_no_shape(tmp_path):
    own = {"llama.block_count": 2, "llama.embedding_length": 64, "general.architecture": "llama"}
    for metadata in ({"general.type": "adapter"}, {"general.type": "imatrix"}, {"general.type": "mmproj"}):
        source = read(write_gguf(tmp_path / "m.gguf", own | metadata, tensors={"w": (32,)}))
        assert source.kind != "model"
        assert (source.tasks, source.shape, source.companions) == ((), None, ())
