"""Each option reaches the parameter that it is named after."""

from pathlib import Path

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
        ({"main_gpu": 1}, "main_gpu", 1),
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
    assert model_parameters(Options(tensor_split=[3, 1]), print).tensor_split[:3] == [3.0, 1.0, 0.0]


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
