"""Each option reaches the parameter that it is named after."""

import ctypes
import re
from pathlib import Path

import attrs
import pytest

llama_cpp = pytest.importorskip("llama_cpp")

from uml_core.types import ModelSource, Plan  # noqa: E402 - nothing below works without the engine
from uml_llamacpp.options import Options  # noqa: E402
from uml_llamacpp.parameters import context_parameters, model_parameters  # noqa: E402

SOURCE = ModelSource(path=Path("m.gguf"), format="gguf", files=(), size_bytes=1)
PLAN = Plan(model_id="m", model=SOURCE, backend="llamacpp", tasks=(), context_length=4096, threads=3)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({}, "n_gpu_layers", 0x7FFFFFFF),
        ({"n_gpu_layers": -1}, "n_gpu_layers", 0x7FFFFFFF),
        ({"n_gpu_layers": 0}, "n_gpu_layers", 0),
        ({"n_gpu_layers": 7}, "n_gpu_layers", 7),
        ({"split_mode": "row"}, "split_mode", llama_cpp.LLAMA_SPLIT_MODE_ROW),
        ({}, "load_mode", llama_cpp.LLAMA_LOAD_MODE_MMAP),
        ({"use_mmap": False}, "load_mode", llama_cpp.LLAMA_LOAD_MODE_NONE),
        ({"use_mlock": True}, "load_mode", llama_cpp.LLAMA_LOAD_MODE_MMAP_MLOCK),
        ({"use_mmap": False, "use_mlock": True}, "load_mode", llama_cpp.LLAMA_LOAD_MODE_MLOCK),
    ],
)
def test_of_the_model(options, name, value):
    assert getattr(model_parameters(Options(**options), print), name) == value


def test_split_of_the_model():
    filled = model_parameters(Options(tensor_split=[3, 1]), print)
    assert filled.tensor_split[:3] == [3.0, 1.0, 0.0]
    assert (filled.main_gpu, filled.split_mode) == (0, llama_cpp.LLAMA_SPLIT_MODE_LAYER)


@pytest.mark.parametrize("options", [{"main_gpu": 2}, {"tensor_split": [0, 0, 1]}])
def test_one_gpu_alone_is_named(options):
    filled = model_parameters(Options(**options), print)
    assert (filled.main_gpu, filled.split_mode) == (2, llama_cpp.LLAMA_SPLIT_MODE_NONE)
    assert not filled.tensor_split


@pytest.mark.parametrize(
    ("options", "shares", "mode"),
    [
        ({"tensor_split": [0, 3, 1]}, [3.0, 1.0, 0.0], llama_cpp.LLAMA_SPLIT_MODE_LAYER),
        ({"tensor_split": [0, 1]}, None, llama_cpp.LLAMA_SPLIT_MODE_NONE),
        ({"main_gpu": 2}, None, llama_cpp.LLAMA_SPLIT_MODE_NONE),
    ],
)
def test_new_numbers_for_gpus_that_are_seen_alone(monkeypatch, options, shares, mode):
    monkeypatch.setenv("UML_GPUS", "as the plugin sets it")
    filled = model_parameters(Options(**options), print)
    assert (filled.main_gpu, filled.split_mode) == (0, mode)
    assert (filled.tensor_split[:3] if filled.tensor_split else None) == shares


def test_a_mode_that_was_asked_for_stays():
    filled = model_parameters(Options(main_gpu=1, split_mode="layer"), print)
    assert (filled.main_gpu, filled.split_mode) == (1, llama_cpp.LLAMA_SPLIT_MODE_LAYER)


def test_experts_that_stay_in_memory():
    assert not model_parameters(Options(), print).tensor_buft_overrides
    assert not model_parameters(Options(n_cpu_moe=0), print).tensor_buft_overrides
    rules = list(_rules(model_parameters(Options(n_cpu_moe=12), print)))
    assert len(rules) == 1
    assert re.search(rules[0], "blk.11.ffn_gate_exps.weight")
    assert re.search(rules[0], "blk.1.ffn_down_chexps.weight")
    assert not re.search(rules[0], "blk.12.ffn_gate_exps.weight")
    assert not re.search(rules[0], "blk.1.ffn_gate.weight")


def _rules(filled):
    """The patterns up to the empty entry that ends the list, as llama.cpp reads them."""
    entry = ctypes.c_char_p * 2  # a pattern, and an address
    at = filled.tensor_buft_overrides
    while (rule := entry.from_address(at)[0]) is not None:
        yield rule.decode()
        at += ctypes.sizeof(entry)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({}, "n_ctx", 4096),
        ({}, "n_seq_max", 1),
        ({}, "n_threads", 3),
        ({}, "n_threads_batch", 3),
        ({"n_threads": 2}, "n_threads_batch", 2),
        ({"n_threads_batch": 5}, "n_threads_batch", 5),
        ({"n_batch": 64}, "n_batch", 64),
        ({"n_batch": 64}, "n_ubatch", 64),
        ({"n_ubatch": 32}, "n_ubatch", 32),
        ({}, "n_ubatch", 512),
        ({"n_batch": 2048}, "n_ubatch", 512),
        ({}, "n_outputs_max", 1),
        ({}, "flash_attn_type", llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO),
        ({"flash_attn": True}, "flash_attn_type", llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED),
        ({"flash_attn": False}, "flash_attn_type", llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED),
        ({"type_k": "q8_0"}, "type_k", llama_cpp.GGML_TYPE_Q8_0),
        ({"type_v": "iq4_nl"}, "type_v", llama_cpp.GGML_TYPE_IQ4_NL),
        ({"offload_kqv": False}, "offload_kqv", False),
        ({"rope_freq_base": 1e6}, "rope_freq_base", 1e6),
        ({"rope_freq_scale": 0.5}, "rope_freq_scale", 0.5),
        ({}, "swa_full", False),
        ({"swa_full": True}, "swa_full", True),
    ],
)
def test_of_the_context(options, name, value):
    assert getattr(context_parameters(PLAN, Options(**options)), name) == value


@pytest.mark.parametrize(("length", "parallel", "tokens"), [(4096, 4, 16384), (600, 3, 3 * 768), (600, 1, 600)])
def test_of_a_context_for_several(length, parallel, tokens):
    filled = context_parameters(attrs.evolve(PLAN, context_length=length, parallel=parallel), Options())
    assert (filled.n_ctx, filled.n_seq_max, filled.n_outputs_max) == (tokens, parallel, parallel)
    assert not filled.kv_unified
