"""Several graphs that are one model, and what lies beside a graph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.inspection.onnx import MARKS, claims, read
from uml_core.inspection.plugin import uml_model_formats
from uml_core.testing.onnx import write_onnx

ENCODER = {"input_features": ("batch", 80, 3000)}
DECODER = {
    "input_ids": ("batch", "tokens"),
    "encoder_hidden_states": ("batch", 1500, 384),
    "past_key_values.0.decoder.key": ("batch", 6, "past", 64),
    "past_key_values.0.decoder.value": ("batch", 6, "past", 64),
    "past_key_values.0.encoder.key": ("batch", 6, 1500, 64),
}
LOGITS = {"logits": ("batch", "tokens", 51864)}
WEIGHTS = {"w": (4, 2)}


@pytest.fixture
def whisper(tmp_path: Path) -> Path:
    """An export for speech, in the layout of Optimum."""
    write_onnx(
        tmp_path / "encoder_model.onnx", inputs=ENCODER, outputs={"last_hidden_state": (1, 2, 3)}, tensors=WEIGHTS
    )
    write_onnx(tmp_path / "decoder_model_merged.onnx", inputs=DECODER, outputs=LOGITS, tensors=WEIGHTS)
    write_onnx(tmp_path / "decoder_model_merged_q4.onnx", inputs=DECODER, outputs=LOGITS)
    write_onnx(tmp_path / "decoder_model.onnx", inputs=DECODER, outputs=LOGITS, tensors=WEIGHTS)
    return tmp_path


def test_an_encoder_and_a_decoder_are_one_model(whisper):
    source = inspect(whisper, tuple(uml_model_formats()))
    assert (source.format, source.tasks, source.modalities) == ("onnx", ("automatic-speech-recognition",), ("audio",))
    assert [file.name for file in source.files] == ["decoder_model_merged.onnx", "encoder_model.onnx"]
    assert (source.parameters, source.quantization, source.missing) == (16, "FP32", ())
    assert source.size_bytes == sum(file.stat().st_size for file in source.files)
    assert [layer.kv_heads for layer in source.shape.layers] == [6]


def test_a_decoder_without_its_encoder_is_not_whole(whisper):
    (whisper / "encoder_model.onnx").unlink()
    assert read(whisper).missing == ("encoder_model.onnx",)


def test_an_encoder_without_its_decoder_is_not_whole(whisper):
    for path in whisper.glob("decoder*"):
        path.unlink()
    assert read(whisper).missing == ("decoder_model_merged.onnx",)


def test_a_decoder_that_is_there_with_and_without_a_past_counts_once(tmp_path):
    for name in ("decoder_model", "decoder_with_past_model"):
        write_onnx(tmp_path / f"{name}.onnx", inputs={"input_ids": (1, "n")}, outputs=LOGITS, tensors=WEIGHTS)
    source = read(tmp_path)
    assert (source.parameters, len(source.files), source.tasks) == (8, 2, ("text-generation",))


def test_a_model_that_sees(tmp_path):
    write_onnx(tmp_path / "vision_encoder_q4.onnx", inputs={"pixel_values": (1, 3, 64, 64)}, outputs={"f": (1, 4)})
    write_onnx(tmp_path / "decoder_model_merged_q4.onnx", inputs={"inputs_embeds": (1, "n", 96)}, outputs=LOGITS)
    assert read(tmp_path).missing == ("embed_tokens.onnx",)
    write_onnx(tmp_path / "embed_tokens_fp16.onnx", inputs={"input_ids": (1, "n")}, outputs={"e": (1, "n", 96)})
    source = read(tmp_path)
    assert (source.tasks, source.modalities, source.missing) == (("image-text-to-text",), ("text", "image"), ())
    assert {file.name.rpartition("_")[2] for file in source.files} == {"q4.onnx", "fp16.onnx"}


def test_a_folder_without_parts(tmp_path):
    write_onnx(tmp_path / "model.onnx")
    assert not claims(tmp_path, b"")
    with pytest.raises(InvalidModelFileError, match="holds no parts of an ONNX model"):
        read(tmp_path)


def test_every_mark_makes_a_model_of_its_folder(tmp_path):
    for name in MARKS:
        folder = tmp_path / name
        folder.mkdir()
        write_onnx(folder / name)
        assert claims(folder, b"")
        assert read(folder).parameters == 0


def test_the_configuration_beside_a_graph_helps(tmp_path):
    folder = tmp_path / "org" / "onnx"
    folder.mkdir(parents=True)
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "num_hidden_layers": 6,
        "hidden_size": 384,
        "num_attention_heads": 12,
        "max_position_embeddings": 512,
        "id2label": {"0": "LABEL_0"},
    }
    (folder.parent / "config.json").write_text(json.dumps(config))
    (folder.parent / "tokenizer.json").write_text("{}")
    inputs = {"input_ids": ("batch", "tokens"), "attention_mask": ("batch", "tokens")}
    path = write_onnx(folder / "model.onnx", inputs=inputs, outputs={"logits": ("batch", "labels")})
    source = read(path)
    assert (source.name, source.architecture) == ("org", "BertForSequenceClassification")
    assert (source.tasks, source.context_length, source.has_tokenizer) == (("text-ranking",), 512, True)
    assert {file.name for file in source.files} == {"model.onnx", "config.json", "tokenizer.json"}
    assert source.shape.embedding_length == 384


@pytest.mark.parametrize(
    "text", ["{", '{"main": 1}', "[" * 10**5, '{"model_type": "llama", "num_hidden_layers": 1e999}']
)
def test_a_configuration_of_no_use_is_left_alone(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    source = read(write_onnx(tmp_path / "model.onnx"))
    assert source.context_length is None


def test_a_voice_needs_the_file_beside_it(tmp_path):
    inputs = {"input": (1, "n"), "input_lengths": (1,), "scales": (3,)}
    path = write_onnx(tmp_path / "voice.onnx", inputs=inputs, outputs={"output": (1, "n")})
    assert (read(path).tasks, read(path).missing) == (("text-to-speech",), ("voice.onnx.json",))
    voice = {"audio": {"sample_rate": 22050}, "language": {"code": "en_US"}, "phoneme_id_map": {"_": [0]}}
    (tmp_path / "voice.onnx.json").write_text(json.dumps(voice))
    source = read(path)
    assert (source.architecture, source.missing, source.metadata["audio.sample_rate"]) == ("vits", (), 22050)


TASKS = {
    "feature-extraction": ({"input_ids": (1, "n")}, {"last_hidden_state": (1, "n", 384)}),
    "text-classification": ({"input_ids": (1, "n")}, {"logits": (1, 3)}),
    "text-ranking": ({"input_ids": (1, "n")}, {"logits": (1, 1)}),
    "token-classification": ({"input_ids": (1, "n")}, {"logits": (1, "n", 9)}),
    "fill-mask": ({"input_ids": (1, "n")}, {"logits": (1, "n", 30522)}),
    "question-answering": ({"input_ids": (1, "n")}, {"start_logits": (1, "n"), "end_logits": (1, "n")}),
    "image-classification": ({"pixel_values": (1, 3, 224, 224)}, {"logits": (1, 1000)}),
    "image-segmentation": ({"input": (1, 3, "h", "w")}, {"mask": (1, 1, "h", "w")}),
    "image-to-image": ({"input": (1, 3, "h", "w")}, {"output": (1, 3, "h", "w")}),
    "object-detection": ({"pixel_values": (1, 3, 640, 640)}, {"logits": (1, 100, 92), "pred_boxes": (1, 100, 4)}),
    "zero-shot-image-classification": (
        {"input_ids": (1, "n"), "pixel_values": (1, 3, 224, 224)},
        {"logits_per_image": (1, 1)},
    ),
    "audio-classification": ({"input_values": (1, "n")}, {"logits": (1, 5)}),
    "automatic-speech-recognition": ({"input_values": (1, "n")}, {"logits": (1, "n", 32)}),
    "voice-activity-detection": ({"input": (1, "n"), "sr": (), "state": (2, 1, 128)}, {"output": (1, 1)}),
    "text-to-speech": ({"tokens": (1, "n"), "style": (1, 256), "speed": (1,)}, {"audio": ("n",)}),
    None: ({"x": (1, 4)}, {"y": (1, 2)}),
}


@pytest.mark.parametrize("task", TASKS)
def test_what_a_graph_is_for(tmp_path, task):
    inputs, outputs = TASKS[task]
    source = read(write_onnx(tmp_path / "model.onnx", inputs=inputs, outputs=outputs))
    assert source.tasks == ((task,) if task else ())


def test_a_graph_of_a_detector_says_so_itself(tmp_path):
    path = write_onnx(
        tmp_path / "yolo.onnx",
        inputs={"images": (1, 3, 640, 640)},
        outputs={"output0": (1, 84, 8400)},
        metadata={"task": "detect", "license": "AGPL-3.0"},
    )
    assert (read(path).tasks, read(path).license) == (("object-detection",), "AGPL-3.0")
