"""Cards and headers, field by field, against the ``safetensors`` package: a real model and files that it wrote."""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect, plugin
from uml_core.inspection.safetensors import read_header
from uml_core.testing.safetensors import write_safetensors
from uml_core.types import Layer

FORMATS = tuple(plugin.uml_model_formats())
TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "BOOL": "bool",
}


def told(path: Path) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, str]]:
    """What the package says."""
    with safe_open(path, "numpy") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        return {name: (one.get_dtype(), tuple(one.get_shape())) for name, one in slices.items()}, file.metadata() or {}


def found(path: Path) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, str]]:
    header = read_header(path)
    return {weight.name: (weight.dtype, weight.shape) for weight in header.weights}, dict(header.metadata)


def bytes_in(path: Path) -> dict[str, int]:
    """The bytes of each tensor, as the package reads them."""
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name).nbytes for name in file.keys()}  # noqa: SIM118 - it is no mapping


def test_minilm(minilm):
    card = inspect(minilm, FORMATS)
    tensors, metadata = told(minilm / "model.safetensors")
    assert found(minilm / "model.safetensors") == (tensors, metadata)
    config = json.loads((minilm / "config.json").read_text())
    assert card.parameters == sum(math.prod(shape) for dtype, shape in tensors.values() if dtype == "F32")
    assert (card.kind, card.format, card.architecture) == ("model", "safetensors", config["architectures"][0])
    assert (card.quantization, card.bits_per_weight) == ("FP32", 32)
    assert card.context_length == config["max_position_embeddings"]
    assert (card.tasks, card.modalities) == (("feature-extraction",), ("text",))
    assert (card.license, card.has_tokenizer, card.has_chat_template) == ("apache-2.0", True, False)
    assert (card.missing, card.hazards, card.companions) == ((), (), ())
    assert {file.name for file in card.files} >= {"model.safetensors", "config.json", "tokenizer.json", "vocab.txt"}
    assert card.size_bytes == sum(file.stat().st_size for file in card.files)
    shape = card.shape
    assert (shape.embedding_length, shape.feed_forward_length) == (config["hidden_size"], config["intermediate_size"])
    assert (shape.heads, shape.vocabulary_size) == (config["num_attention_heads"], config["vocab_size"])
    weights = bytes_in(minilm / "model.safetensors")
    first = sum(size for name, size in weights.items() if name.startswith("encoder.layer.0."))
    assert shape.layers == (Layer(kind="none", weight_bytes=first),) * config["num_hidden_layers"]
    assert shape.input_bytes == weights["embeddings.word_embeddings.weight"]
    assert (shape.output_bytes, shape.tied) == (0, False)


@pytest.mark.parametrize("seed", range(10))
def test_files_that_the_package_wrote(tmp_path, seed):
    chance = random.Random(seed)
    tensors = {}
    for number in range(chance.randint(0, 40)):
        shape = [chance.randint(0 if chance.random() < 0.1 else 1, 5) for _ in range(chance.randint(0, 4))]
        tensors[f"layer.{number}.{chance.choice('äbc')}"] = np.zeros(shape, chance.choice(list(TYPES.values())))
    metadata = {"format": "np", "note": "ünï"} if seed % 2 else None
    save_file(tensors, tmp_path / "m.safetensors", metadata)
    assert found(tmp_path / "m.safetensors") == told(tmp_path / "m.safetensors")
    card = inspect(tmp_path / "m.safetensors", FORMATS)
    floats = [array for array in tensors.values() if array.dtype.kind == "f"]
    assert (card.parameters or 0) == sum(array.size for array in floats)


def test_files_that_this_project_s_tests_write_are_whole(tmp_path):
    tensors = {"a": ("BF16", (2, 3)), "b": ("F8_E4M3", (4,)), "c": ("I64", ()), "d": ("F16", (0, 3))}
    path = write_safetensors(tmp_path / "m.safetensors", tensors, metadata={"format": "pt"})
    assert told(path) == (tensors, {"format": "pt"})


def test_what_the_package_refuses_is_refused(tmp_path):
    """Any header with a byte changed: nothing is read here that the package does not read the same way."""
    tensors = {"a.weight": ("F32", (4, 2)), "b.weight": ("I8", (3,))}
    whole = write_safetensors(tmp_path / "m.safetensors", tensors, metadata={"a": "b"}).read_bytes()
    path, chance = tmp_path / "changed.safetensors", random.Random(7)
    refused = 0
    for _ in range(600):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 2)):
            changed[chance.randrange(len(whole) - 35)] = chance.choice(b'0123456789[]{}",:FI\0\xff -')
        path.write_bytes(changed)
        try:
            expected = told(path)
        except (SafetensorError, UnicodeDecodeError, OSError):
            with pytest.raises(InvalidModelFileError):
                read_header(path)
            refused += 1
            continue
        assert found(path) == expected
    assert refused > 100


@pytest.mark.parametrize("copies", [40, pytest.param(2000, marks=pytest.mark.proof)])
def test_how_fast_folders_are_read(tmp_path, minilm, copies, record_property):
    """The whole of it for each: configuration, tokenizer's settings, licence, header. The number is for the report."""
    header = read_header(minilm / "model.safetensors")
    tensors = {weight.name: (weight.dtype, weight.shape) for weight in header.weights}
    for number in range(copies):
        folder = tmp_path / f"model-{number}"
        folder.mkdir()
        for file in minilm.glob("*.*"):
            if file.is_file() and file.stat().st_size < 10**6:
                shutil.copy(file, folder)
        write_safetensors(folder / "model.safetensors", tensors)
    started = time.perf_counter()
    cards = [inspect(folder, FORMATS) for folder in tmp_path.iterdir()]
    record_property("models_per_s", round(copies / (time.perf_counter() - started)))
    assert {card.parameters for card in cards} == {inspect(minilm, FORMATS).parameters}
