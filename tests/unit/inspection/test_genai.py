"""Folders of onnxruntime-genai, in the layout that its model builder writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.inspection.genai import read
from uml_core.inspection.plugin import uml_model_formats
from uml_core.testing.onnx import write_onnx

DECODER = {
    "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
    "filename": "model.onnx",
    "head_size": 64,
    "hidden_size": 576,
    "inputs": {"input_ids": "input_ids", "past_key_names": "past_key_values.%d.key"},
    "outputs": {"logits": "logits", "present_key_names": "present.%d.key"},
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
}
MODEL = {
    "bos_token_id": 1,
    "context_length": 8192,
    "decoder": DECODER,
    "eos_token_id": [2, 0],
    "pad_token_id": 2,
    "type": "llama",
    "vocab_size": 49152,
}
SEARCH = {"do_sample": False, "max_length": 8192, "past_present_share_buffer": True}
PACKED = ("MatMulNBits", ("x", "w", "s"), {"K": 64, "N": 8, "bits": 4, "block_size": 32})
INPUTS = {"input_ids": ("batch", "n"), "past_key_values.0.key": ("batch", "kv_heads", "past", 64)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An int4 model with its data in another file, a tokenizer and a chat template."""
    folder = tmp_path / "SmolLM2-int4"
    folder.mkdir()
    write_onnx(
        folder / "model.onnx",
        inputs=INPUTS,
        outputs={"logits": ("batch", "n", 49152)},
        tensors={"w": (8, 2, 16), "s": (16,)},
        types={"w": "uint8"},
        places={"w": ("model.onnx.data", 0, 256), "s": ("model.onnx.data", 256, None)},
        nodes=[PACKED],
    )
    (folder / "model.onnx.data").write_bytes(bytes(320))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    configure(folder)
    return folder


def configure(folder: Path, **changes) -> None:
    (folder / "genai_config.json").write_text(json.dumps({"model": MODEL | changes, "search": SEARCH}))


def test_a_folder_is_described(folder):
    source = inspect(folder, tuple(uml_model_formats()))
    assert (source.format, source.name, source.architecture) == ("onnx-genai", "SmolLM2-int4", "llama")
    assert (source.parameters, source.quantization, source.bits_per_weight) == (512, "int4", 5.0)
    assert (source.context_length, source.tasks, source.modalities) == (8192, ("text-generation",), ("text",))
    assert (source.has_tokenizer, source.has_chat_template, source.missing) == (True, True, ())
    shape = source.shape
    assert (shape.embedding_length, shape.heads, shape.vocabulary_size, len(shape.layers)) == (576, 9, 49152, 30)
    assert {(layer.kind, layer.kv_heads, layer.key_length, layer.value_length) for layer in shape.layers} == {
        ("full", 3, 64, 64)
    }
    names = {file.name for file in source.files}
    assert names == {file.name for file in folder.iterdir()}
    assert source.size_bytes == sum(file.stat().st_size for file in folder.iterdir())


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data"])
def test_a_file_that_is_not_there_is_missing(folder, name):
    (folder / name).unlink()
    assert read(folder).missing == (name,)


def test_whisper(folder):
    encoder = {"filename": "encoder.onnx", "hidden_size": 384}
    configure(folder, type="whisper", encoder=encoder, speech={"config_filename": "audio_processor_config.json"})
    write_onnx(folder / "encoder.onnx", tensors={"w": (4, 2)})
    (folder / "audio_processor_config.json").write_text("{}")
    source = read(folder)
    assert (source.tasks, source.modalities, source.parameters) == (
        ("automatic-speech-recognition",),
        ("audio",),
        512 + 8,
    )


def test_a_model_that_sees(folder):
    configure(folder, type="phi3v", vision={"filename": "vision.onnx"}, embedding={"filename": "embedding.onnx"})
    source = read(folder)
    assert (source.tasks, source.modalities) == (("image-text-to-text", "text-generation"), ("text", "image"))
    assert source.missing == ("embedding.onnx", "vision.onnx")


def test_stages_of_a_pipeline_and_a_window(folder):
    stages = [{"embed": {"filename": "embed.onnx"}, "head": {"filename": "head.onnx"}}]
    configure(folder, decoder=DECODER | {"pipeline": stages, "sliding_window": {"window_size": 512}})
    source = read(folder)
    assert source.missing == ("embed.onnx", "head.onnx")
    assert {(layer.kind, layer.window) for layer in source.shape.layers} == {("sliding", 512)}


@pytest.mark.parametrize("more", [{"slide_key_value_cache": False}, {"layers": [0, 2]}])
def test_a_window_that_is_not_what_the_layers_keep(folder, more):
    configure(folder, decoder=DECODER | {"sliding_window": {"window_size": 512, **more}})
    assert {layer.kind for layer in read(folder).shape.layers} == {"full"}


def test_a_library_of_operators_is_code_out_of_the_folder(folder):
    assert read(folder).hazards == ()
    configure(folder, decoder=DECODER | {"session_options": {"custom_ops_library": "operators.so"}})
    assert read(folder).hazards == ("remote-code",)


@pytest.mark.parametrize(
    "name",
    ["/etc/hostname", "../model.onnx", "a/model.onnx", "a\\model.onnx", "C:model.onnx", "..", "a\0", ["x"], 7, {}],
)
def test_files_from_elsewhere_are_refused(folder, name):
    configure(folder, decoder=DECODER | {"filename": name})
    with pytest.raises(InvalidModelFileError, match="which can't be a file beside it"):
        read(folder)


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    outside = tmp_path / "outside.onnx"
    (folder / "model.onnx").rename(outside)
    (folder / "model.onnx").symlink_to(outside)
    with pytest.raises(InvalidModelFileError, match="a link that leads out of the model's folder"):
        read(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("{", "can't be read as JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "tells of no model with a decoder"),
        ('{"model": []}', "tells of no model with a decoder"),
        ('{"model": {"decoder": {"head_size": 64}}}', "names no graph"),
        ('{"model": {"decoder": {"filename": "model.onnx", "head_size": 1e300}}}', None),
        ('{"model": {"decoder": {"filename": "model.onnx", "num_hidden_layers": 4097}}}', None),
        ('{"model": {"type": [], "decoder": {"filename": "model.onnx", "pipeline": [1, {"a": 2}]}}}', None),
        ("[" * 10**5, "nested deeper"),
    ],
)
def test_a_configuration_of_another_kind(folder, text, reason):
    (folder / "genai_config.json").write_text(text)
    if reason is None:
        assert read(folder).shape is None
    else:
        with pytest.raises(InvalidModelFileError, match=reason):
            read(folder)


def test_the_bytes_of_each_layer_are_those_of_its_tensors_wherever_they_lie(folder):
    tensors = {"model.embed_tokens.weight": (10, 8), "lm_head.MatMul.weight": (8, 10), "model.norm.weight": (8,)}
    tensors |= {f"model.layers.{layer}.mlp.up_proj.MatMul.weight_Q4": (8, 2, 16) for layer in range(30)}
    write_onnx(
        folder / "model.onnx",
        inputs=INPUTS,
        tensors=tensors,
        types=dict.fromkeys(list(tensors)[3:], "uint8"),
        places=dict.fromkeys(list(tensors)[3:], ("model.onnx.data", 0, None)),
    )
    shape = read(folder).shape
    assert {layer.weight_bytes for layer in shape.layers} == {256}
    assert len({id(layer) for layer in shape.layers}) == 1
    assert (shape.input_bytes, shape.output_bytes, shape.tied) == (320, 352, False)
