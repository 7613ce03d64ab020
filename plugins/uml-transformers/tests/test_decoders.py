"""Many sequences at once against each one alone: the logits of random models of many kinds."""

import random

import numpy as np
import pytest

from uml_core.worker.text import Row

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.engine

SMALL = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
GPT2 = {"vocab_size": 96, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
EXPERTS = {**GROUPED, "num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LATENT = {
    **SMALL,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 24,
    "first_k_dense_replace": 1,
}
STATE = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "num_heads": 8, "head_dim": 8}
SLOTS = {
    "llama": GROUPED,
    "qwen2": {**GROUPED, "head_dim": 8},
    "qwen3": {**GROUPED, "head_dim": 16},
    "qwen3_moe": {**EXPERTS, "head_dim": 8},
    "mistral": {**GROUPED, "sliding_window": 6, "head_dim": 8},
    "mixtral": EXPERTS,
    "gemma": {**GROUPED, "head_dim": 8},
    "gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 6, "query_pre_attn_scalar": 8},
    "gemma3_text": {
        **GROUPED,
        "head_dim": 8,
        "sliding_window": 6,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "phi3": {**GROUPED, "pad_token_id": 0},
    "granite": GROUPED,
    "olmo2": GROUPED,
    "smollm3": {**GROUPED, "pad_token_id": 0, "no_rope_layers": [1, 0]},
    "glm4": {**GROUPED, "head_dim": 8, "pad_token_id": 0},
    "cohere2": {**GROUPED, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]},
    "starcoder2": {**GROUPED, "sliding_window": 6},
    "gpt_neox": SMALL,
    "gpt2": GPT2,
    "opt": {**SMALL, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "deepseek_v3": LATENT,
    "gpt_oss": {**EXPERTS, "head_dim": 8, "sliding_window": 6},
}
ALONE = {
    "mamba": {**STATE, "intermediate_size": 64},
    "mamba2": {**STATE, "n_groups": 2, "expand": 2},
    "bloom": {"vocab_size": 96, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "falcon_mamba": {**STATE, "intermediate_size": 64},
}
OFTEN = {"llama", "qwen3", "mistral", "gemma3_text", "gpt2", "deepseek_v3", "gpt_oss", "mamba2", "bloom"}


def kind_of(kind):
    return kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.proof)


class Vocabulary:
    n_vocab = 96


def model_of(kind, values):
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **values, bos_token_id=1, eos_token_id=2)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def decoder_of(model, **how):
    from uml_transformers.worker import decoder_of as choose

    return choose(model, Vocabulary(), slots=3, context_length=64, batch=16, **how)


def alone(model, tokens):
    """What the model gives by itself after all of *tokens*."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].float().numpy()


def never():
    return False


def schedule(seed):
    """Steps of three sequences that are read in pieces and written token by token, in any order."""
    draw = random.Random(seed)
    texts = [[draw.randrange(3, 96) for _ in range(draw.randrange(12, 30))] for _ in range(3)]
    done = [0, 0, 0]
    while any(count < len(text) for count, text in zip(done, texts, strict=True)):
        rows = []
        for slot in draw.sample(range(3), 3):
            if done[slot] < len(texts[slot]) and draw.random() < 0.8:
                piece = texts[slot][done[slot] : done[slot] + draw.choice((1, 1, 1, 5, 9))]
                rows.append(Row(slot, done[slot], piece, draw.random() < 0.6))
                done[slot] += len(piece)
        if rows:
            yield rows, texts


def check(model, decoder, seed):
    for rows, texts in schedule(seed):
        found = decoder.forward(rows, never)
        wanted = [row for row in rows if row.wanted]
        assert found.shape == (len(wanted), 96)
        assert found.dtype == np.float32
        for row, logits in zip(wanted, found, strict=True):
            expected = alone(model, texts[row.slot][: row.start + len(row.tokens)])
            np.testing.assert_allclose(logits, expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", [kind_of(kind) for kind in SLOTS])
def test_in_one_pass(kind):
    from uml_transformers.decoder import SlotDecoder

    model = model_of(kind, SLOTS[kind])
    decoder, why = decoder_of(model)
    assert isinstance(decoder, SlotDecoder), why
    check(model, decoder, seed=2)


@pytest.mark.parametrize("kind", [kind_of(kind) for kind in ALONE])
def test_one_after_the_other(kind):
    from uml_transformers.single import CacheDecoder

    model = model_of(kind, ALONE[kind])
    decoder, why = decoder_of(model)
    assert isinstance(decoder, CacheDecoder)
    assert why
    check(model, decoder, seed=3)


@pytest.mark.parametrize(
    ("kind", "alone_too"), [("llama", False), ("llama", True), ("mistral", True), ("mamba2", False)]
)
def test_what_is_kept_and_copied_goes_on(kind, alone_too):
    model = model_of(kind, {**SLOTS, **ALONE}[kind])
    decoder, _ = decoder_of(model, asked="eager" if alone_too else None)
    text = list(range(3, 23))
    decoder.forward([Row(0, 0, text, wanted=False)], never)
    copied = decoder.copy(0, 2, 12)
    kept = decoder.keep(0, 15)
    assert (copied, kept) == ((12, 15) if kind == "llama" else (0, 0))
    ends = [Row(2, copied, [*text[copied:12], 77, 78], wanted=True), Row(0, kept, [*text[kept:15], 5], wanted=True)]
    other, one = decoder.forward(ends, never)
    np.testing.assert_allclose(other, alone(model, [*text[:12], 77, 78]), atol=2e-4, rtol=1e-3)
    np.testing.assert_allclose(one, alone(model, [*text[:15], 5]), atol=2e-4, rtol=1e-3)


def test_a_state_is_copied_whole():
    decoder, _ = decoder_of(model := model_of("mamba2", ALONE["mamba2"]))
    decoder.forward([Row(0, 0, [5, 6, 7], wanted=False)], never)
    assert decoder.copy(0, 1, 3) == 3
    (found,) = decoder.forward([Row(1, 3, [8], wanted=True)], never)
    np.testing.assert_allclose(found, alone(model, [5, 6, 7, 8]), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["llama", "mamba2"])
def test_a_cancel_ends_a_step_between_two_layers(kind):
    decoder, _ = decoder_of(model := model_of(kind, {**SLOTS, **ALONE}[kind]))
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 1

    assert decoder.forward([Row(0, 0, list(range(3, 40)), wanted=True)], cancelled) is None
    assert len(asked) == 2
    kept = decoder.keep(0, 0)
    assert kept == 0
    (found,) = decoder.forward([Row(0, 0, [9, 8, 7], wanted=True)], never)
    np.testing.assert_allclose(found, alone(model, [9, 8, 7]), atol=2e-4, rtol=1e-3)
