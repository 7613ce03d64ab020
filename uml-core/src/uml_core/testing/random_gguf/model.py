"""Write a model of random weights."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from attrs import evolve

from uml_core.inspection.gguf import read_header
from uml_core.testing.gguf import write_gguf
from uml_core.testing.random_gguf import parts
from uml_core.testing.random_gguf.architectures import ARCHITECTURES, Architecture
from uml_core.testing.random_gguf.sizes import Sizes
from uml_core.testing.random_gguf.values import write_values
from uml_core.testing.random_gguf.vocabulary import vocabulary


def write_random_gguf(path: Path, architecture: str, *, seed: int = 0, **sizes: Any) -> Path:
    """Write a model of that *architecture* to *path*, all of its bytes, and give *path* back.

    :param architecture: one of ``ARCHITECTURES``, by llama.cpp's name
    :param sizes: fields of :class:`Sizes` that differ from what is usual for the architecture
    :raises KeyError: there is no such architecture
    :raises ValueError: a tensor can't have such a type or size
    """
    recipe = ARCHITECTURES[architecture]
    asked = evolve(recipe.usual, **sizes)
    tensors = parts.around(asked)
    for layer in range(asked.layers):
        tensors |= parts.of_layer(layer, recipe.layer(asked, layer))
    types = {name: _type(name, shape, asked) for name, shape in tensors.items()}
    integers = {"tokenizer.ggml.token_type": "int32"}
    write_gguf(path, _metadata(architecture, recipe, asked), tensors=tensors, types=integers, tensor_types=types)
    _fill(path, Random(seed))  # noqa: S311 - nothing secret is made of it
    return path


def _metadata(architecture: str, recipe: Architecture, sizes: Sizes) -> dict[str, object]:
    own: dict[str, object] = {
        "block_count": sizes.layers,
        "context_length": sizes.context_length,
        "embedding_length": sizes.width,
        "feed_forward_length": sizes.feed_forward,
        "attention.head_count": sizes.heads,
        "attention.head_count_kv": sizes.kv_heads,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "rope.dimension_count": sizes.head_length,
        "rope.freq_base": 10_000.0,
        "vocab_size": sizes.vocabulary,
    }
    about = {"general.architecture": architecture, "general.name": f"Random {architecture}"}
    keys = {f"{architecture}.{key}": value for key, value in (own | recipe.keys(sizes)).items()}
    return about | keys | vocabulary(sizes.vocabulary)


def _type(name: str, shape: tuple[int, ...], sizes: Sizes) -> str:
    """Vectors, and what engines want so, are 32-bit floats."""
    if len(shape) < 2 or name.endswith(".bias") or "ssm_conv1d" in name or "ssm_a" in name or "ssm_d" in name:
        return "F32"
    if "ssm_norm" in name or "ffn_gate_inp" in name or "ssm_dt" in name:
        return "F32"
    return sizes.experts_weights or sizes.weights if "_exps" in name else sizes.weights


def _fill(path: Path, random: Random) -> None:
    header = read_header(path)
    with path.open("r+b") as file:
        for tensor in header.tensors:
            file.seek(header.data_offset + tensor.offset)
            write_values(file, tensor, random)
