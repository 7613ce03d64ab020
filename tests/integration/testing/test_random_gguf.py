"""Models of random weights are loaded by a real engine, split text with their vocabulary and write."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from uml_core.inspection.gguf import read
from uml_core.testing.random_gguf import ARCHITECTURES, write_random_gguf

WRITES = """
import math, sys, llama_cpp
engine = llama_cpp.Llama(sys.argv[1], n_ctx=256, n_batch=64, n_threads=1, verbose=False)
text = b"Hello world, these are bytes: \\xc3\\xa9\\n"
tokens = engine.tokenize(text, add_bos=False)
assert engine.detokenize(tokens) == text
assert len(tokens) < len(text), "it has merges"
engine.eval(tokens)
scores = engine._ctx.get_logits()
scores = [scores[token] for token in range(engine.n_vocab())]
assert all(math.isfinite(score) for score in scores)
assert len(set(scores)) > 10, "the weights are not all the same"
engine.eval([scores.index(max(scores))])
print(engine.n_vocab())
"""


@pytest.mark.skipif(not importlib.util.find_spec("llama_cpp"), reason="needs the engine")
@pytest.mark.parametrize(
    ("architecture", "sizes"),
    [
        *((architecture, {}) for architecture in ARCHITECTURES),
        ("deepseek2", {"layers": 27, "experts": 2}),
        ("deepseek2", {"absorbed": False}),
        ("qwen3", {"tied": True, "weights": "Q4_K", "layers": 1}),
    ],
)
def test_an_engine_loads_each_and_writes(tmp_path, architecture, sizes):
    path = write_random_gguf(tmp_path / "m.gguf", architecture, **sizes)
    child = subprocess.run([sys.executable, "-c", WRITES, path], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout.strip()) == (0, "1024"), child.stderr


@pytest.mark.parametrize("type", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q8_0", "Q4_K", "Q6_K", "MXFP4"])
def test_values_of_each_type_are_finite_small_and_not_all_the_same(tmp_path, type):
    gguf = pytest.importorskip("gguf")
    path = write_random_gguf(tmp_path / "m.gguf", "llama", weights=type, layers=1, vocabulary=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    tensor = tensors["blk.0.ffn_up.weight"]
    values = gguf.dequantize(tensor.data, tensor.tensor_type)
    assert tensor.tensor_type.name == type
    assert 0.0001 < values.std() < 0.2
    assert abs(values.mean()) < values.std()


def test_sizes_are_as_asked(tmp_path):
    sizes = {"layers": 3, "width": 512, "heads": 4, "kv_heads": 4, "head_length": 128, "feed_forward": 1024}
    path = write_random_gguf(tmp_path / "m.gguf", "qwen3moe", **sizes, vocabulary=70_000, experts=4, tied=True)
    card = read(path)
    shape = card.shape
    assert shape
    assert (shape.embedding_length, shape.feed_forward_length, shape.heads) == (512, 1024, 4)
    assert (shape.vocabulary_size, shape.experts, shape.experts_used, shape.tied) == (70_000, 4, 2, True)
    assert len(shape.layers) == 3
    assert {(layer.kv_heads, layer.key_length, layer.value_length) for layer in shape.layers} == {(4, 128, 128)}
    assert shape.layers[0].expert_bytes == 4 * 3 * 512 * 1024 * 34 // 32
    assert path.stat().st_blocks * 512 >= path.stat().st_size, "no holes: all of it can be read from the disk"


def test_latent_attention_keeps_one_vector_if_its_matrices_are_absorbed(tmp_path):
    kept = {}
    for absorbed in (True, False):
        card = read(write_random_gguf(tmp_path / "m.gguf", "deepseek2", absorbed=absorbed))
        assert card.shape
        layer = card.shape.layers[0]
        kept[absorbed] = (layer.kind, layer.kv_heads, layer.key_length, layer.value_length)
    assert kept == {True: ("latent", 1, 128 + 32, 0), False: ("full", 8, 96, 64)}


def test_the_same_seed_is_the_same_file(tmp_path):
    paths: list[Path] = [tmp_path / f"{number}.gguf" for number in range(3)]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        write_random_gguf(path, "llama", layers=1, seed=seed)
    first, same, other = (path.read_bytes() for path in paths)
    assert first == same
    assert first != other


@pytest.mark.parametrize(("sizes", "error"), [({"weights": "IQ1_S"}, ValueError), ({"vocabulary": 100}, ValueError)])
def test_what_cannot_be_made(tmp_path, sizes, error):
    with pytest.raises(error):
        write_random_gguf(tmp_path / "m.gguf", "llama", **sizes)
    with pytest.raises(KeyError):
        write_random_gguf(tmp_path / "m.gguf", "no-such")
