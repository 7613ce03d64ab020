"""Every field of a real file, against the reference reader."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from uml_core.inspection import inspect
from uml_core.inspection.gguf import LeftInFile, read, read_header, read_values
from uml_core.inspection.plugin import uml_model_formats
from uml_core.types import Layer

gguf = pytest.importorskip("gguf")


@pytest.fixture(scope="module")
def reference(smollm2: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, about its own future
        return gguf.GGUFReader(smollm2)


def test_every_field_is_the_same(smollm2, reference):
    metadata = read_header(smollm2).metadata
    theirs = {name: field for name, field in reference.fields.items() if not name.startswith("GGUF.")}
    assert list(metadata) == list(theirs)
    for name, field in theirs.items():
        value = metadata[name]
        if isinstance(value, LeftInFile):
            assert value.type_name == field.types[1].name.lower()
            assert value.count == len(field.data)
            value = read_values(smollm2, value)
        assert (list(value) if isinstance(value, tuple) else value) == field.contents(), name


def test_every_tensor_is_the_same(smollm2, reference):
    header = read_header(smollm2)
    mine = {}
    for tensor in header.tensors:
        place = header.data_offset + tensor.offset, tensor.size_bytes
        mine[tensor.name] = (tensor.type, tensor.dimensions, tensor.elements, *place)
    assert mine == {
        tensor.name: (
            tensor.tensor_type.name,
            tuple(int(dimension) for dimension in tensor.shape),
            int(tensor.n_elements),
            int(tensor.data_offset),
            int(tensor.n_bytes),
        )
        for tensor in reference.tensors
    }


def test_the_model_is_described(smollm2):
    source = inspect(smollm2, tuple(uml_model_formats()))
    assert (source.format, source.kind, source.architecture) == ("gguf", "model", "llama")
    assert (source.parameters, source.context_length) == (134_515_008, 8192)
    assert (source.quantization, source.license) == ("Q4_1", "apache-2.0")
    assert source.size_bytes == smollm2.stat().st_size


def test_the_card_is_what_the_reference_reads(smollm2, reference):
    def said(key):
        return reference.get_field(key).contents()

    card = read(smollm2)
    elements = sum(int(tensor.n_elements) for tensor in reference.tensors)
    assert card.parameters == elements
    assert said("general.size_label") == f"{round(elements / 1e6)}M"
    assert card.bits_per_weight == sum(int(tensor.n_bytes) for tensor in reference.tensors) * 8 / elements
    assert (card.name, card.license) == (said("general.name"), said("general.license"))
    assert (card.has_tokenizer, card.has_chat_template) == (True, True)
    assert (card.tasks, card.modalities, card.missing, card.hazards) == (("text-generation",), ("text",), (), ())
    shape = card.shape
    assert shape.embedding_length == said("llama.embedding_length")
    assert shape.feed_forward_length == said("llama.feed_forward_length")
    assert shape.heads == said("llama.attention.head_count")
    assert shape.vocabulary_size == said("llama.vocab_size") == len(said("tokenizer.ggml.tokens"))
    assert (shape.experts, shape.experts_used) == (0, 0)
    length = said("llama.rope.dimension_count")
    kept = Layer(
        kind="full",
        kv_heads=said("llama.attention.head_count_kv"),
        key_length=length,
        value_length=length,
        weight_bytes=sum(int(tensor.n_bytes) for tensor in reference.tensors if tensor.name.startswith("blk.0.")),
    )
    assert shape.layers == (kept,) * said("llama.block_count")
    assert len({id(layer) for layer in shape.layers}) == 1


def test_every_byte_of_the_weights_has_its_place(smollm2, reference):
    """This file has no output matrix: its embedding is used twice."""
    shape = read(smollm2).shape
    bytes_of = {tensor.name: int(tensor.n_bytes) for tensor in reference.tensors}
    assert (shape.input_bytes, shape.output_bytes) == (bytes_of["token_embd.weight"], bytes_of["output_norm.weight"])
    assert shape.tied
    layers = sum(layer.weight_bytes for layer in shape.layers)
    assert shape.input_bytes + shape.output_bytes + layers == sum(bytes_of.values())


GROWTH = """
import sys, llama_cpp
engine = llama_cpp.Llama(sys.argv[1], n_ctx=1024, n_batch=64, n_threads=1, verbose=False)
tokens = engine.tokenize(b"one two three four five six seven eight nine ten")
engine.eval(tokens)
state = llama_cpp.llama_state_seq_get_size(engine.ctx, 0)
engine.eval(tokens)
print(len(tokens), llama_cpp.llama_state_seq_get_size(engine.ctx, 0) - state)
"""


def test_the_cache_is_as_large_as_the_engines(smollm2):
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed")
    command = [sys.executable, "-c", GROWTH, str(smollm2)]  # a child: an engine that fails takes its process down
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert said.returncode == 0, said.stderr
    tokens, grown = map(int, said.stdout.split())
    kept = sum(2 * layer.kv_heads * (layer.key_length + layer.value_length) for layer in read(smollm2).shape.layers)
    assert grown == pytest.approx(kept * tokens, rel=0.01)  # and the position of each


def test_tables_are_the_references():
    from uml_core.inspection.gguf.tables import FILE_TYPES, TENSOR_TYPES

    sizes = gguf.GGML_QUANT_SIZES
    for type, (name, block_elements, block_bytes) in TENSOR_TYPES.items():
        if type in gguf.GGMLQuantizationType._value2member_map_:  # an older reference knows fewer
            known = gguf.GGMLQuantizationType(type)
            assert (known.name, *sizes[known]) == (name, block_elements, block_bytes)
    for number, name in FILE_TYPES.items():
        if number in gguf.LlamaFileType._value2member_map_:
            assert gguf.LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_") == name
