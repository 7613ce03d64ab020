"""Files of many architectures by the reference writer, each field of their cards against the reference reader."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from uml_core.inspection.gguf import LeftInFile, read, read_header, read_values
from uml_core.types import Layer

gguf = pytest.importorskip("gguf")
np = pytest.importorskip("numpy")

VOCABULARY = 300
Write = Callable[[Any], None]


def llama(writer: Any) -> None:
    common(writer, blocks=32, width=4096, heads=32, kv_heads=8)


def qwen3(writer: Any) -> None:
    common(writer, blocks=28, width=1024, heads=16, kv_heads=8, length=128)


def gemma3(writer: Any) -> None:
    common(writer, blocks=34, width=2560, heads=8, kv_heads=4, length=256)
    writer.add_sliding_window(1024)


def gpt_oss(writer: Any) -> None:
    common(writer, blocks=24, width=2880, heads=64, kv_heads=8, length=64)
    writer.add_sliding_window(128)
    experts(writer, 32, 4, 2880)


def deepseek2(writer: Any) -> None:
    common(writer, blocks=27, width=2048, heads=16, kv_heads=1)
    writer.add_kv_lora_rank(512)
    writer.add_key_length(512 + 64)
    writer.add_value_length(512)
    writer.add_key_length_mla(192)
    writer.add_value_length_mla(128)
    experts(writer, 64, 6, 1408)


def mamba(writer: Any) -> None:
    common(writer, blocks=24, width=768, heads=0)
    ssm(writer, inner=1536, state=16)


def jamba(writer: Any) -> None:
    pattern = [8 if layer % 8 == 4 else 0 for layer in range(32)]
    common(writer, blocks=32, width=4096, heads=32, kv_heads=pattern)
    ssm(writer, inner=8192, state=16)
    experts(writer, 16, 2)


def qwen3moe(writer: Any) -> None:
    common(writer, blocks=48, width=2048, heads=32, kv_heads=4, length=128)
    experts(writer, 128, 8, 768)


def gemma4(writer: Any) -> None:
    common(writer, blocks=6, width=2048, heads=8, kv_heads=[8, 8, 8, 8, 8, 2], length=512)
    writer.add_sliding_window(1024)
    writer.add_sliding_window_pattern([True] * 5 + [False])
    writer.add_key_length_swa(256)
    writer.add_value_length_swa(256)
    writer.add_shared_kv_layers(0)


def common(
    writer: Any, *, blocks: int, width: int, heads: int, kv_heads: int | list[int] = 0, length: int | None = None
) -> None:
    writer.add_block_count(blocks)
    writer.add_context_length(40960)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(3 * width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    if length:
        writer.add_key_length(length)
        writer.add_value_length(length)


def experts(writer: Any, count: int, used: int, width: int | None = None) -> None:
    writer.add_expert_count(count)
    writer.add_expert_used_count(used)
    if width:
        writer.add_expert_feed_forward_length(width)


def ssm(writer: Any, *, inner: int, state: int) -> None:
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(48)


def full(kv_heads: int, length: int) -> Layer:
    return Layer(kind="full", kv_heads=kv_heads, key_length=length, value_length=length)


def sliding(kv_heads: int, length: int, window: int) -> Layer:
    return Layer(kind="sliding", kv_heads=kv_heads, key_length=length, value_length=length, window=window)


STATE = Layer(kind="recurrent", state_elements=3 * 8192 + 8192 * 16)
ARCHITECTURES: dict[str, tuple[Write, list[Layer]]] = {
    "llama": (llama, [full(8, 128)] * 32),
    "qwen3": (qwen3, [full(8, 128)] * 28),
    "gemma3": (gemma3, [full(4, 256) if layer % 6 == 5 else sliding(4, 256, 1024) for layer in range(34)]),
    "gpt-oss": (gpt_oss, [full(8, 64) if layer % 2 else sliding(8, 64, 128) for layer in range(24)]),
    "deepseek2": (deepseek2, [Layer(kind="latent", kv_heads=1, key_length=576)] * 27),
    "mamba": (mamba, [Layer(kind="recurrent", state_elements=3 * 1536 + 1536 * 16)] * 24),
    "jamba": (jamba, [full(8, 128) if layer % 8 == 4 else STATE for layer in range(32)]),
    "qwen3moe": (qwen3moe, [full(4, 128)] * 48),
    "gemma4": (gemma4, [sliding(8, 256, 1024)] * 5 + [full(2, 512)]),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def path(architecture: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(architecture) / "model.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("model")
    writer.add_name(f"Small {architecture}")
    writer.add_license("mit")
    writer.add_size_label("17K")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    ARCHITECTURES[architecture][0](writer)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token {number}" for number in range(VOCABULARY)])
    writer.add_token_types([1] * VOCABULARY)
    writer.add_chat_template("{{ messages }}")
    numbers = np.arange(64 * 256, dtype=np.float32).reshape(64, 256) / 1000
    for name, type in {
        "token_embd": "Q8_0",
        "blk.0.attn_q": "Q4_0",
        "blk.0.ffn_up": "F16",
        "blk.0.ffn_up_exps": "Q5_1",
        "blk.1.ffn_up": "Q8_0",
        "blk.1.ffn_gate_up_exps": "MXFP4",
        "blk.1.ffn_up_shexp": "F16",
        "output_norm": "F32",
        **({} if architecture == "gemma3" else {"output": "Q5_0"}),
    }.items():
        kind = gguf.GGMLQuantizationType[type]
        writer.add_tensor(f"{name}.weight", gguf.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def reference(path: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, about its own future
        yield gguf.GGUFReader(path)


def test_every_field_is_the_same(path, reference):
    metadata = read_header(path).metadata
    theirs = {name: field for name, field in reference.fields.items() if not name.startswith("GGUF.")}
    assert list(metadata) == list(theirs)
    for name, field in theirs.items():
        value = metadata[name]
        if isinstance(value, LeftInFile):
            value = read_values(path, value)
        assert (list(value) if isinstance(value, tuple) else value) == field.contents(), name


def test_every_tensor_is_the_same(path, reference):
    header = read_header(path)
    assert [
        (tensor.name, tensor.type, tensor.elements, tensor.size_bytes, header.data_offset + tensor.offset)
        for tensor in header.tensors
    ] == [
        (tensor.name, tensor.tensor_type.name, tensor.n_elements, tensor.n_bytes, tensor.data_offset)
        for tensor in reference.tensors
    ]


def test_the_card_is_what_the_reference_reads(path, reference, architecture):
    def said(key: str) -> Any:
        field = reference.get_field(key)
        return field and field.contents()

    card = read(path)
    elements = sum(int(tensor.n_elements) for tensor in reference.tensors)
    assert (card.format, card.kind, card.architecture) == ("gguf", "model", said("general.architecture"))
    assert (card.name, card.license) == (said("general.name"), said("general.license"))
    assert card.parameters == elements
    assert card.bits_per_weight == sum(int(tensor.n_bytes) for tensor in reference.tensors) * 8 / elements
    assert card.quantization == gguf.LlamaFileType(said("general.file_type")).name.removeprefix("MOSTLY_")
    assert card.context_length == said(f"{architecture}.context_length")
    assert card.size_bytes == path.stat().st_size
    assert card.has_tokenizer == (said("tokenizer.ggml.model") is not None)
    assert card.has_chat_template == (said("tokenizer.chat_template") is not None)
    assert (card.tasks, card.modalities) == (("text-generation",), ("text",))
    assert (card.missing, card.companions, card.hazards) == ((), (), ())
    shape = card.shape
    assert shape.embedding_length == said(f"{architecture}.embedding_length")
    assert shape.heads == said(f"{architecture}.attention.head_count")
    assert shape.vocabulary_size == len(said("tokenizer.ggml.tokens"))
    assert shape.experts == (said(f"{architecture}.expert_count") or 0)
    assert shape.experts_used == (said(f"{architecture}.expert_used_count") or 0)
    wide = said(f"{architecture}.expert_feed_forward_length") or said(f"{architecture}.feed_forward_length")
    assert shape.feed_forward_length == wide
    assert len(shape.layers) == said(f"{architecture}.block_count")


def test_what_each_layer_keeps(path, architecture):
    layers = [evolve(layer, weight_bytes=0, expert_bytes=0) for layer in read(path).shape.layers]
    assert layers == ARCHITECTURES[architecture][1]


def test_what_each_layer_weighs(path, reference, architecture):
    shape = read(path).shape
    bytes_of = {tensor.name.removesuffix(".weight"): int(tensor.n_bytes) for tensor in reference.tensors}
    assert shape.input_bytes == bytes_of["token_embd"]
    assert shape.output_bytes == bytes_of["output_norm"] + bytes_of.get("output", 0)
    assert shape.tied == ("output" not in bytes_of)
    for number, layer in enumerate(shape.layers):
        mine = {name: size for name, size in bytes_of.items() if name.startswith(f"blk.{number}.")}
        assert layer.weight_bytes == sum(mine.values())
        assert layer.expert_bytes == sum(size for name, size in mine.items() if name.endswith("_exps"))
    assert len({id(layer) for layer in shape.layers}) == len(set(shape.layers))


def test_the_types_of_matrices(path, reference):
    """Of those that are multiplied with: not the embedding, nor norms; experts have a third dimension."""
    types: Counter[str] = Counter()
    for tensor in reference.tensors:
        if tensor.name == "output.weight" or (tensor.name.startswith("blk.") and "_exps" not in tensor.name):
            types[tensor.tensor_type.name] += int(tensor.n_bytes)
    assert read(path).shape.type_bytes == tuple(sorted(types.items()))


@pytest.mark.parametrize("type", [gguf.GGUFType.ADAPTER, gguf.GGUFType.IMATRIX, gguf.GGUFType.MMPROJ])
def test_what_is_no_model(tmp_path, type):
    path = tmp_path / "file.gguf"
    writer = gguf.GGUFWriter(path, "clip" if type == gguf.GGUFType.MMPROJ else "llama")
    writer.add_type(type)
    if type == gguf.GGUFType.ADAPTER:
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 16.0)
    elif type == gguf.GGUFType.IMATRIX:
        writer.add_uint32(gguf.Keys.IMatrix.CHUNK_COUNT, 100)
    else:
        writer.add_clip_has_vision_encoder(True)
        writer.add_clip_projector_type("idefics3")
    writer.add_tensor("w", np.zeros((8, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    kinds = {"adapter": "adapter", "imatrix": "imatrix", "mmproj": "projector"}
    assert read(path).kind == kinds[type]
    assert read(path).tasks == ()


def test_parts_by_the_reference_writer(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "big.gguf", "llama", split_max_tensors=2)
    common(writer, blocks=2, width=64, heads=4, kv_heads=2)
    for number in range(5):
        writer.add_tensor(f"blk.{number}.weight", np.full((4, 64), number, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parts = sorted(tmp_path.iterdir())
    assert len(parts) == 3
    card = read(parts[1])
    assert (card.files, card.missing, card.parameters) == (tuple(parts), (), 5 * 256)
    parts[2].unlink()
    card = read(parts[0])
    assert (card.files, card.missing, card.parameters) == (tuple(parts[:2]), (parts[2].name,), None)
    assert len(card.shape.layers) == 2
