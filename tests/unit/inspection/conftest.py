from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uml_core.testing.gguf import write_gguf

METADATA = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "general.file_type": 3,
    "general.tags": ["a", "tiny one"],
    "llama.context_length": 2048,
    "llama.rope.freq_base": 10000.0,
    "llama.attention.head_count_kv": [1, 2, 2],
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.ggml.tokens": ["<s>", "", "a", "hello"],
}
TENSORS = {"token_embd.weight": (4, 8), "output_norm.weight": (4,)}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A well-formed file with a value of each kind and two tensors."""
    return write_gguf(tmp_path / "tiny.gguf", METADATA, tensors=TENSORS)


@pytest.fixture
def splits(tmp_path: Path) -> Callable[[int], list[Path]]:
    """Write a model of so many parts."""

    def write(count: int) -> list[Path]:
        total = {"split.count": count, "split.tensors.count": count}
        types = {"split.count": "uint16", "split.no": "uint16", "split.tensors.count": "int32"}
        return [
            write_gguf(
                tmp_path / f"big-{number + 1:05}-of-{count:05}.gguf",
                (METADATA if number == 0 else {}) | total | {"split.no": number},
                tensors={f"blk.{number}.weight": (4, 8)},
                types=types,
            )
            for number in range(count)
        ]

    return write


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may read everything, so be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)
