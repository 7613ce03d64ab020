from __future__ import annotations

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.gguf import LeftInFile, read, read_header, read_values
from uml_core.testing.gguf import write_gguf

ONE = {"w": (32,)}


def test_what_the_header_says_of_the_model(tiny):
    source = read(tiny)
    assert source.path == tiny
    assert source.files == (tiny,)
    assert source.size_bytes == tiny.stat().st_size
    assert (source.format, source.kind, source.name, source.architecture) == ("gguf", "model", "Tiny", "llama")
    assert (source.parameters, source.context_length) == (36, 2048)
    assert (source.quantization, source.license) == ("Q4_1", "apache-2.0")


def test_metadata_keeps_scalars_strings_and_short_arrays(tiny):
    metadata = read(tiny).metadata
    assert metadata["llama.rope.freq_base"] == 10000.0
    assert metadata["tokenizer.ggml.add_bos_token"] is True
    assert metadata["general.tags"] == ("a", "tiny one")
    assert metadata["llama.attention.head_count_kv"] == (1, 2, 2)
    assert metadata["tokenizer.ggml.tokens"] == ("<s>", "", "a", "hello")


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("uint8", 255),
        ("int8", -128),
        ("uint16", 65535),
        ("int16", -32768),
        ("uint32", 2**32 - 1),
        ("int32", -(2**31)),
        ("float32", 0.5),
        ("bool", False),
        ("string", "é\N{SNOWMAN}"),
        ("uint64", 2**64 - 1),
        ("int64", -(2**63)),
        ("float64", 0.1),
    ],
)
def test_every_type_alone_in_a_short_and_in_a_long_array(tmp_path, type, value):
    metadata = {"alone": value, "short": [value] * 3, "long": [value] * 5000}
    path = write_gguf(tmp_path / "m.gguf", metadata, types=dict.fromkeys(metadata, type))
    found = read(path).metadata
    assert found["alone"] == value
    assert found["short"] == (value,) * 3
    long = found["long"]
    assert isinstance(long, LeftInFile)
    assert (long.type_name, long.count) == (type, 5000)
    assert read_values(path, long) == (value,) * 5000


def test_a_long_string_is_left_in_the_file(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {"short": "x" * 2**20, "long": "é" * 2**20})
    found = read(path).metadata
    assert found["short"] == "x" * 2**20
    assert read_values(path, found["long"]) == ("é" * 2**20,)


def test_what_was_left_in_a_file_that_has_changed(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {"long": ["x" * 100] * 100})
    long = read(path).metadata["long"]
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InvalidModelFileError, match=r"'m\.gguf' is not a whole GGUF file: it ends within its header"):
        read_values(path, long)


def test_tensors_are_described(tiny):
    first, second = read_header(tiny).tensors
    assert (first.name, first.dimensions, first.type, first.elements) == ("token_embd.weight", (4, 8), "F32", 32)
    assert (second.offset, second.size_bytes) == (128, 16)


@pytest.mark.parametrize(
    ("metadata", "tensors", "kind"),
    [
        ({"general.architecture": "clip"}, ONE, "projector"),
        ({"general.architecture": "llama", "general.type": "mmproj"}, ONE, "projector"),
        ({"general.architecture": "llama", "general.type": "adapter"}, ONE, "adapter"),
        ({"general.architecture": "controlvector"}, ONE, "adapter"),
        ({"general.type": "imatrix"}, ONE, "imatrix"),
        ({"imatrix.chunk_count": 7}, ONE, "imatrix"),
        ({"general.architecture": "llama", "adapter.type": "lora"}, ONE, "adapter"),
        ({"general.architecture": "eagle3"}, ONE, "other"),
        ({"general.architecture": "clip", "general.type": "mmproj"}, ONE, "projector"),
        ({}, ONE, "other"),
        ({"general.architecture": "llama"}, {}, "other"),
        ({"general.architecture": "llama", "general.type": "model"}, ONE, "model"),
    ],
)
def test_kinds_of_files(tmp_path, metadata, tensors, kind):
    assert read(write_gguf(tmp_path / "m.gguf", metadata, tensors=tensors)).kind == kind


@pytest.mark.parametrize(
    ("file_type", "quantization"), [(15, "Q4_K_M"), (1024 + 7, "Q8_0"), (999, "F32"), (None, "F32")]
)
def test_quantization_is_the_file_type_or_the_commonest_tensor_type(tmp_path, file_type, quantization):
    metadata = {} if file_type is None else {"general.file_type": file_type}
    assert read(write_gguf(tmp_path / "m.gguf", metadata, tensors=ONE)).quantization == quantization


def test_a_file_that_says_nothing(tmp_path):
    source = read(write_gguf(tmp_path / "m.gguf"))
    assert (source.name, source.architecture, source.quantization, source.context_length) == (None,) * 4
    assert source.parameters == 0


def test_names_can_be_printed(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {"general.name": "a\x1b[2J\u202eb", "general.license": "x" * 500})
    source = read(path)
    assert source.name == "a\ufffd[2J\ufffdb"
    assert len(source.license) == 80


@pytest.mark.parametrize("key", ["general.architecture", "general.name", "general.type", "general.license"])
def test_a_well_known_text_of_another_type(tmp_path, key):
    path = write_gguf(tmp_path / "m.gguf", {key: [1, 2]})
    with pytest.raises(InvalidModelFileError, match=rf"'m\.gguf' is not a usable GGUF file: its '{key}' is not a text"):
        read(path)


@pytest.mark.parametrize("value", ["many", -1, True, 1.5, [1]])
def test_a_well_known_count_of_another_type(tmp_path, value):
    metadata = {"general.architecture": "llama", "llama.context_length": value}
    types = {"llama.context_length": "int32"} if value == -1 else {}
    with pytest.raises(InvalidModelFileError, match=r"'llama\.context_length' is not a count"):
        read(write_gguf(tmp_path / "m.gguf", metadata, types=types))
