"""What the layers of a card keep, against what llama.cpp makes room for: it logs how large its caches are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from uml_core.inspection.gguf import read
from uml_core.testing.gguf import write_gguf
from uml_core.types import Layer

pytest.importorskip("llama_cpp")

CONTEXT, BATCH, WIDTH, LAYERS, TOKENS = 4096, 256, 512, 6, 32
HEADS, KV_HEADS, LENGTH, WIDE = 8, 2, 64, 256
SSM = {"ssm.conv_kernel": 4, "ssm.inner_size": 2 * WIDTH, "ssm.state_size": 16, "ssm.time_step_rank": 32}
COMMON = {
    "block_count": LAYERS,
    "context_length": CONTEXT,
    "embedding_length": WIDTH,
    "feed_forward_length": WIDE,
    "vocab_size": TOKENS,
    "attention.layer_norm_rms_epsilon": 1e-6,
}
HYBRID = [0, KV_HEADS, 0, 0, KV_HEADS, 0]
Tensors = dict[str, tuple[int, ...]]


def attention(heads: int = HEADS) -> Tensors:
    return {
        "attn_q.weight": (WIDTH, heads * LENGTH),
        "attn_k.weight": (WIDTH, KV_HEADS * LENGTH),
        "attn_v.weight": (WIDTH, KV_HEADS * LENGTH),
        "attn_output.weight": (heads * LENGTH, WIDTH),
    }


def norms(*names: str, width: int = WIDTH) -> Tensors:
    return {f"{name}.weight": (width,) for name in names}


def mamba(rank: int = 32, inner: int = 2 * WIDTH, state: int = 16) -> Tensors:
    return {
        "ssm_in.weight": (WIDTH, 2 * inner),
        "ssm_conv1d.weight": (4, inner),
        "ssm_conv1d.bias": (inner,),
        "ssm_x.weight": (inner, rank + 2 * state),
        "ssm_dt.weight": (rank, inner),
        "ssm_dt.bias": (inner,),
        "ssm_a": (state, inner),
        "ssm_d": (inner,),
        "ssm_out.weight": (inner, WIDTH),
    }


FEED_FORWARD: Tensors = {
    "ffn_norm.weight": (WIDTH,),
    "ffn_gate.weight": (WIDTH, WIDE),
    "ffn_up.weight": (WIDTH, WIDE),
    "ffn_down.weight": (WIDE, WIDTH),
}
NORMED = norms("attn_q_norm", "attn_k_norm", width=LENGTH)
CONVOLUTION: Tensors = {
    "shortconv.conv.weight": (3, WIDTH),
    "shortconv.in_proj.weight": (WIDTH, 3 * WIDTH),
    "shortconv.out_proj.weight": (WIDTH, WIDTH),
}
STATES = 2 * WIDTH + 2 * 16  # of falcon-h1's convolution
BOTH: Tensors = {
    "ssm_in.weight": (WIDTH, 2 * WIDTH + STATES + 32),
    "ssm_conv1d.weight": (4, STATES),
    "ssm_conv1d.bias": (STATES,),
    "ssm_dt.bias": (32,),
    "ssm_norm.weight": (2 * WIDTH, 1),
    "ssm_a": (1, 32),
    "ssm_d": (1, 32),
    "ssm_out.weight": (2 * WIDTH, WIDTH),
}
LATENT: Tensors = {
    "attn_q.weight": (WIDTH, HEADS * 192),
    "attn_kv_a_norm.weight": (512,),
    "attn_kv_a_mqa.weight": (WIDTH, 512 + 64),
    "attn_k_b.weight": (128, 512, HEADS),
    "attn_v_b.weight": (512, 128, HEADS),
    "attn_output.weight": (HEADS * 128, WIDTH),
}
KEYS = {"attention.key_length": LENGTH, "attention.value_length": LENGTH, "rope.dimension_count": LENGTH}
GQA = {"attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS, **KEYS}
HYBRID_GQA = {"attention.head_count": HEADS, "attention.head_count_kv": HYBRID}
MLA = {
    "attention.head_count": HEADS,
    "attention.head_count_kv": 1,
    "attention.kv_lora_rank": 512,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
    "rope.dimension_count": 64,
    "leading_dense_block_count": 26,
    "block_count": 26,  # fewer layers would need a lower rank for queries too
    "expert_feed_forward_length": WIDE,
    "expert_shared_count": 0,
}
EXPERT_WIDTH = {"expert_feed_forward_length": WIDE}
EXPERTS: Tensors = {
    "attn_sinks.weight": (HEADS,),
    "attn_q.bias": (HEADS * LENGTH,),
    "attn_k.bias": (KV_HEADS * LENGTH,),
    "attn_v.bias": (KV_HEADS * LENGTH,),
    "attn_output.bias": (WIDTH,),
    "ffn_gate_inp.weight": (WIDTH, 4),
    "ffn_gate_inp.bias": (4,),
    "ffn_gate_exps.weight": (WIDTH, WIDE, 4),
    "ffn_gate_exps.bias": (WIDE, 4),
    "ffn_up_exps.weight": (WIDTH, WIDE, 4),
    "ffn_up_exps.bias": (WIDE, 4),
    "ffn_down_exps.weight": (WIDE, WIDTH, 4),
    "ffn_down_exps.bias": (WIDTH, 4),
}
JAMBA_NORMS = {"ssm_dt_norm.weight": (32,), "ssm_b_norm.weight": (16,), "ssm_c_norm.weight": (16,)}
MODELS: dict[str, tuple[dict[str, object], Tensors, Tensors]] = {
    "llama": ({**GQA}, attention() | norms("attn_norm") | FEED_FORWARD, {}),
    "gemma3": (
        {**GQA, "attention.sliding_window": 512},
        attention() | norms("attn_norm", "post_attention_norm", "post_ffw_norm") | NORMED | FEED_FORWARD,
        {},
    ),
    "gpt-oss": (
        {**GQA, "attention.sliding_window": 128, "expert_count": 4, "expert_used_count": 2, **EXPERT_WIDTH},
        attention() | norms("attn_norm", "post_attention_norm") | EXPERTS,
        {},
    ),
    "mamba": ({**SSM, "attention.head_count": 0}, mamba() | norms("attn_norm"), {}),
    "jamba": (
        {**SSM, **HYBRID_GQA},
        attention() | norms("attn_norm") | FEED_FORWARD,
        mamba() | JAMBA_NORMS | norms("attn_norm") | FEED_FORWARD,
    ),
    "lfm2": (
        {**HYBRID_GQA, "shortconv.l_cache": 3},
        attention() | NORMED | norms("attn_norm") | FEED_FORWARD,
        CONVOLUTION | norms("attn_norm") | FEED_FORWARD,
    ),
    "falcon-h1": (
        {**GQA, **SSM, "ssm.group_count": 1},
        attention()
        | BOTH
        | norms("attn_norm")
        | {name.replace("norm.weight", "norm"): size for name, size in FEED_FORWARD.items()},
        {},
    ),
    "deepseek2": ({**MLA}, LATENT | norms("attn_norm") | FEED_FORWARD, {}),
}


def written(folder: Path, architecture: str) -> Path:
    own, attending, recurrent = MODELS[architecture]
    said = COMMON | own
    tensors = {"token_embd.weight": (WIDTH, TOKENS), "output_norm.weight": (WIDTH,)}
    if architecture == "gpt-oss":
        tensors["output.weight"] = (WIDTH, TOKENS)
    if architecture == "lfm2":
        tensors = {"token_embd.weight": (WIDTH, TOKENS), "token_embd_norm.weight": (WIDTH,)}
    for layer in range(int(str(said["block_count"]))):
        kind = recurrent if recurrent and not HYBRID[layer] else attending
        tensors |= {f"blk.{layer}.{name}": dimensions for name, dimensions in kind.items()}
    metadata = {"general.architecture": architecture, "tokenizer.ggml.model": "no_vocab"}
    return write_gguf(
        folder / "m.gguf", metadata | {f"{architecture}.{key}": said[key] for key in said}, tensors=tensors
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {architecture: written(tmp_path_factory.mktemp(architecture), architecture) for architecture in MODELS}


@pytest.fixture(scope="module")
def rooms(paths: dict[str, Path]) -> dict[str, dict[str, float]]:
    """MiB of keys and values, and of states, by architecture."""
    script = Path(__file__).with_name("engine_caches.py")
    command = [sys.executable, str(script), str(CONTEXT), str(BATCH), *map(str, paths.values())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(paths, map(json.loads, done.stdout.splitlines()), strict=True))


def kept(layer: Layer) -> int:
    """Bytes of keys and values at 16 bits."""
    tokens = min(CONTEXT, layer.window + BATCH) if layer.window else CONTEXT
    return 2 * layer.kv_heads * (layer.key_length + layer.value_length) * -(-tokens // 256) * 256


@pytest.mark.parametrize("architecture", MODELS)
def test_caches_are_as_large_as_the_engines(paths, rooms, architecture):
    layers, room = read(paths[architecture]).shape.layers, rooms[architecture]
    assert sum(map(kept, layers)) / 2**20 == pytest.approx(room["KV"], abs=0.03)
    assert sum(4 * layer.state_elements for layer in layers) / 2**20 == pytest.approx(room["RS"], abs=0.01)
    assert room["KV"] + room["RS"] > 0.05
