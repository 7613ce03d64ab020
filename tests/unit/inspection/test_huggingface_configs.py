"""Configurations as their authors published them, and what is in them that memory and tasks depend on."""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import safetensors
from uml_core.inspection.huggingface import make_config, read_quantization
from uml_core.inspection.huggingface.shape import is_encoder, read_shape
from uml_core.inspection.huggingface.tasks import modalities, read_tasks
from uml_core.testing.safetensors import write_safetensors
from uml_core.types import Layer

CONFIGS = Path(__file__).parents[2] / "data" / "configs"
NONE = Layer(kind="none")


def full(kv_heads: int, length: int) -> Layer:
    return Layer(kind="full", kv_heads=kv_heads, key_length=length, value_length=length)


def sliding(kv_heads: int, length: int, window: int) -> Layer:
    return Layer(kind="sliding", kv_heads=kv_heads, key_length=length, value_length=length, window=window)


def recurrent(elements: int) -> Layer:
    return Layer(kind="recurrent", state_elements=elements)


LAYERS = {
    "bert-base": {NONE: 12},
    "codestral-mamba-7b": {recurrent(3 * (8192 + 2 * 8 * 128) + 8192 * 128): 64},
    "deepseek-v3": {Layer(kind="latent", kv_heads=1, key_length=512 + 64): 61},
    "falcon-7b": {full(1, 64): 32},
    "gemma-3-4b": {sliding(4, 256, 1024): 29, full(4, 256): 5},
    "gpt-oss-20b": {sliding(8, 64, 128): 12, full(8, 64): 12},
    "gpt2": {full(12, 64): 12},
    "jamba-v0.1": {recurrent(3 * 8192 + 8192 * 16): 28, full(8, 128): 4},
    "lfm2-350m": {recurrent(2 * 1024): 10, full(8, 64): 6},
    "llama-3.1-8b": {full(8, 128): 32},
    "llama-4-scout": {sliding(8, 128, 8192): 36, full(8, 128): 12},
    "llava-1.5-7b": {full(32, 128): 32},
    "mamba-130m": {recurrent(3 * 1536 + 1536 * 16): 24},
    "mixtral-8x7b": {full(8, 128): 32},
    "ms-marco-minilm": {NONE: 6},
    "nemotron-h-8b": {recurrent(3 * (8192 + 2 * 8 * 128) + 8192 * 128): 24, NONE: 24, full(8, 128): 4},
    "qwen2-audio-7b": {full(32, 128): 32},
    "qwen3-0.6b": {full(8, 128): 28},
    "qwen3-next-80b": {recurrent(32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128)): 36, full(2, 256): 12},
    "smolvlm-256m": {full(3, 64): 30},
    "t5-small": {full(8, 64): 6},
    "vit-base": {NONE: 12},
    "whisper-tiny": {full(6, 64): 4},
    "xlm-roberta-sentiment": {NONE: 12},
}
# architecture, context length, vocabulary, experts and how many of them work
NUMBERS = {
    "bert-base": ("BertForMaskedLM", 512, 30522, 0, 0),
    "deepseek-v3": ("DeepseekV3ForCausalLM", 163840, 129280, 256, 8),
    "gemma-3-4b": ("Gemma3ForConditionalGeneration", 131072, 262208, 0, 0),
    "gpt-oss-20b": ("GptOssForCausalLM", 131072, 201088, 32, 4),
    "gpt2": ("GPT2LMHeadModel", 1024, 50257, 0, 0),
    "jamba-v0.1": ("JambaForCausalLM", 262144, 65536, 16, 2),
    "llama-3.1-8b": ("LlamaForCausalLM", 131072, 128256, 0, 0),
    "mixtral-8x7b": ("MixtralForCausalLM", 32768, 32000, 8, 2),
    "qwen3-next-80b": ("Qwen3NextForCausalLM", 262144, 151936, 512, 10),
    "smolvlm-256m": ("Idefics3ForConditionalGeneration", 8192, 49280, 0, 0),
    "whisper-tiny": ("WhisperForConditionalGeneration", 448, 51865, 0, 0),
    "xlm-roberta-sentiment": ("XLMRobertaForSequenceClassification", 512, 250002, 0, 0),
}
TASKS = {
    "bert-base": (("fill-mask",), ("text",)),
    "gemma-3-4b": (("image-text-to-text", "text-generation"), ("text", "image")),
    "llama-3.1-8b": (("text-generation",), ("text",)),
    "llama-4-scout": (("image-text-to-text", "text-generation"), ("text", "image")),
    "mamba-130m": (("text-generation",), ("text",)),
    "ms-marco-minilm": (("text-ranking",), ("text",)),
    "qwen2-audio-7b": (("audio-text-to-text", "text-generation"), ("text", "audio")),
    "smolvlm-256m": (("image-text-to-text", "text-generation"), ("text", "image")),
    "t5-small": (("text2text-generation",), ("text",)),
    "vit-base": (("image-classification",), ("image",)),
    "whisper-tiny": (("automatic-speech-recognition",), ("audio",)),
    "xlm-roberta-sentiment": (("text-classification",), ("text",)),
}


@pytest.fixture
def read(tmp_path):
    def read(config: str | dict):
        text = (CONFIGS / f"{config}.json").read_text() if isinstance(config, str) else json.dumps(config)
        (tmp_path / "config.json").write_text(text)
        write_safetensors(tmp_path / "model.safetensors", {"model.norm.weight": ("BF16", (8,))})
        return safetensors.read(tmp_path)

    return read


def test_every_configuration_is_looked_at():
    assert {path.stem for path in CONFIGS.iterdir()} == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(read, name):
    assert Counter(read(name).shape.layers) == LAYERS[name]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(read, name):
    card = read(name)
    shape = card.shape
    found = (card.architecture, card.context_length, shape.vocabulary_size, shape.experts, shape.experts_used)
    assert found == NUMBERS[name]


@pytest.mark.parametrize("name", TASKS)
def test_tasks_and_what_it_takes(read, name):
    card = read(name)
    assert (card.tasks, card.modalities) == TASKS[name]


@pytest.mark.parametrize(("name", "kib"), [("llama-3.1-8b", 128), ("qwen3-0.6b", 112), ("deepseek-v3", 68.625)])
def test_what_a_token_takes_in_f16(read, name, kib):
    layers = read(name).shape.layers
    assert sum(layer.kv_heads * (layer.key_length + layer.value_length) * 2 for layer in layers) == kib * 1024


def test_where_the_full_layers_are(read):
    gemma, gpt_oss, jamba = (read(name).shape.layers for name in ("gemma-3-4b", "gpt-oss-20b", "jamba-v0.1"))
    assert [at for at, layer in enumerate(gemma) if layer.kind == "full"] == [5, 11, 17, 23, 29]
    assert [at for at, layer in enumerate(gpt_oss) if layer.kind == "full"] == list(range(1, 24, 2))
    assert [at for at, layer in enumerate(jamba) if layer.kind == "full"] == [4, 12, 20, 28]


def test_widths(read):
    shape = read("deepseek-v3").shape
    assert (shape.embedding_length, shape.feed_forward_length, shape.heads) == (7168, 2048, 128)
    shape = read("mixtral-8x7b").shape
    assert (shape.embedding_length, shape.feed_forward_length, shape.heads) == (4096, 14336, 32)
    assert read("gpt2").shape.feed_forward_length == 3072


def test_code_that_comes_with_a_model_is_a_hazard(read):
    assert read("deepseek-v3").hazards == ("remote-code",)
    assert read("llama-3.1-8b").hazards == ()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"sliding_window": 4096}, {sliding(2, 16, 4096): 4}),
        ({"sliding_window": 4096, "use_sliding_window": False}, {full(2, 16): 4}),
        (
            {"sliding_window": 64, "use_sliding_window": True, "max_window_layers": 3},
            {full(2, 16): 3, sliding(2, 16, 64): 1},
        ),
        ({"sliding_window": 64, "sliding_window_pattern": 2}, {sliding(2, 16, 64): 2, full(2, 16): 2}),
        ({"sliding_window": 64, "sliding_window_pattern": "LLLG"}, {sliding(2, 16, 64): 3, full(2, 16): 1}),
        ({"model_type": "cohere2", "sliding_window": 64}, {sliding(2, 16, 64): 3, full(2, 16): 1}),
        ({"layer_types": ["full_attention"]}, {full(2, 16): 4}),
        ({"layer_types": ["sliding_attention"] * 9, "sliding_window": 8}, {sliding(2, 16, 8): 4}),
        ({"layer_types": ["new_attention", 7, None, {}]}, {full(2, 16): 4}),
        ({"num_key_value_heads": [1, 2, 2, 4]}, {full(1, 16): 1, full(2, 16): 2, full(4, 16): 1}),
        ({"num_key_value_heads": None}, {full(4, 16): 4}),
        ({"num_kv_shared_layers": 3}, {full(2, 16): 1, NONE: 3}),
        ({"head_dim": 32}, {full(2, 32): 4}),
        ({"head_dim": "auto"}, {full(2, 16): 4}),
        ({"is_decoder": True, "model_type": "bert"}, {full(2, 16): 4}),
    ],
)
def test_ways_to_say_it(read, more, expected):
    base = {
        "architectures": ["MyForCausalLM"],
        "model_type": "mine",
        "hidden_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    assert Counter(read(base | more).shape.layers) == expected


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architectures": []},
        {"architectures": [None, 7]},
        {"architectures": "LlamaForCausalLM"},
        {"hidden_size": "4096", "num_hidden_layers": 32.5},
        {"hidden_size": -1, "num_hidden_layers": -5, "num_attention_heads": 0},
        {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 0},
        {"hidden_size": 64, "num_hidden_layers": 2, "full_attention_interval": 0, "attn_layer_period": 0},
        {"text_config": [], "vision_config": 3, "quantization_config": [1], "auto_map": 0, "id2label": "x"},
        {"quantization_config": {"quant_method": 4, "bits": "four"}},
        {"quantization_config": {"quant_method": "gptq", "bits": 0}},
        {"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"g": 1}}},
        {"max_position_embeddings": "many", "vocab_size": [1]},
        {"hybrid_override_pattern": 3, "attn_layer_indices": ["x", None], "no_rope_layers": {}, "block_types": [[]]},
    ],
)
def test_what_has_another_type_than_it_should_is_as_if_it_were_not_there(read, config):
    card = read(config)
    assert card.parameters == 8
    assert card.format == "safetensors"


@pytest.mark.parametrize(
    "config",
    [
        {"hidden_size": 64, "num_hidden_layers": 10**9},
        {"hidden_size": 2**70, "num_hidden_layers": 2},
        {"vocab_size": 10**100, "hidden_size": 4, "num_hidden_layers": 1},
    ],
)
def test_numbers_that_no_model_has(read, config):
    with pytest.raises(InvalidModelFileError, match=r"'config\.json' says .* download it again"):
        read(config)


@pytest.mark.parametrize("rounds", [300, pytest.param(30_000, marks=pytest.mark.proof)])
def test_any_values_under_any_of_the_keys(rounds):
    """A configuration gives facts, or an error with a sentence; never another exception."""
    chance = random.Random(11)
    known = [json.loads(path.read_text()) for path in sorted(CONFIGS.iterdir())]
    values = (
        None,
        True,
        False,
        0,
        1,
        3,
        -1,
        2.5,
        64,
        2**31,
        2**80,
        "",
        "x",
        "auto",
        "M*-E",
        [],
        [1],
        ["x", None],
        {},
        {"a": 1},
    )
    keys = sorted({key for one in known for part in (one, one.get("text_config", {})) for key in part})
    for _ in range(rounds):
        values_of = chance.choice(known) | {
            chance.choice(keys): chance.choice(values) for _ in range(chance.randint(1, 6))
        }
        config = make_config(values_of)
        with contextlib.suppress(InvalidModelFileError):
            read_quantization(config.top)
            config.context_length({"model_max_length": chance.choice(values)})
            config.metadata()
            tasks = read_tasks(config.top, config.architecture, embeds=False, tag=None)
            assert set(modalities(tasks)) <= {"text", "image", "audio"}
            shape = read_shape(config.text, keeps=not is_encoder(config.top, config.text))
            assert shape is None or all(isinstance(layer, Layer) for layer in shape.layers)


@pytest.mark.parametrize(
    ("name", "config", "tasks"),
    [
        ("ForTokenClassification", {}, ("token-classification",)),
        ("ForQuestionAnswering", {}, ("question-answering",)),
        ("ForSequenceClassification", {"num_labels": 1}, ("text-ranking",)),
        ("ForSequenceClassification", {}, ("text-classification",)),
        ("ForObjectDetection", {}, ("object-detection",)),
        ("ForSemanticSegmentation", {}, ("image-segmentation",)),
        ("ForCTC", {}, ("automatic-speech-recognition",)),
        ("ForAudioClassification", {}, ("audio-classification",)),
        ("ForTextToSpeech", {}, ("text-to-speech",)),
        ("Model", {"model_type": "vits"}, ("text-to-speech",)),
        ("Model", {"model_type": "clip"}, ("zero-shot-image-classification",)),
        ("Model", {"model_type": "dinov2"}, ("image-feature-extraction",)),
        ("Model", {"model_type": "bert"}, ("feature-extraction",)),
        ("MTModel", {"model_type": "marian"}, ("feature-extraction",)),
        ("ForConditionalGeneration", {"model_type": "m2m_100"}, ("translation", "text2text-generation")),
        ("ChatModel", {"vision_config": {"a": 1}}, ("image-text-to-text", "text-generation")),
        ("Strange", {}, ()),
    ],
)
def test_tasks_by_class(read, name, config, tasks):
    assert read({"architectures": [f"My{name}"], **config}).tasks == tasks
