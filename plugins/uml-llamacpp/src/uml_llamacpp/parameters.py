"""From options to llama.cpp's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llama_cpp as c

from uml_core.types import Plan
from uml_llamacpp.options import Options

_ALL_LAYERS = 0x7FFFFFFF


def model_parameters(options: Options, progress: Callable[[float], None]) -> Any:
    """What the weights are loaded with; *progress* is called with 0 to 1 while they are."""

    def report(part: float, _: object) -> bool:
        progress(part)
        return True  # False would abort the load

    filled = c.llama_model_default_params()
    filled.progress_callback = c.llama_progress_callback(report)
    filled.n_gpu_layers = _ALL_LAYERS if options.n_gpu_layers in {None, -1} else options.n_gpu_layers
    filled.main_gpu = options.main_gpu or 0
    filled.load_mode = getattr(c, f"LLAMA_LOAD_MODE_{_load_mode(options)}")
    if options.split_mode is not None:
        filled.split_mode = getattr(c, f"LLAMA_SPLIT_MODE_{options.split_mode.upper()}")
    if options.tensor_split is not None:
        filled.tensor_split = (c.ctypes.c_float * max(16, c.llama_max_devices()))(*options.tensor_split)
    return filled


def context_parameters(plan: Plan, options: Options) -> Any:
    """What the context of one sequence is made with."""
    filled = c.llama_context_default_params()
    filled.n_ctx, filled.n_seq_max = plan.context_length, 1
    filled.n_batch, filled.n_ubatch = options.n_batch, min(options.n_batch, options.n_ubatch)
    filled.n_threads = options.n_threads or plan.threads
    filled.n_threads_batch = options.n_threads_batch or filled.n_threads
    filled.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_AUTO if options.flash_attn is None else int(options.flash_attn)
    filled.swa_full = options.swa_full
    for name in ("type_k", "type_v"):
        if (kind := getattr(options, name)) is not None:
            setattr(filled, name, getattr(c, f"GGML_TYPE_{kind.upper()}"))
    for name in ("offload_kqv", "rope_freq_base", "rope_freq_scale"):
        if (value := getattr(options, name)) is not None:
            setattr(filled, name, value)
    return filled


def _load_mode(options: Options) -> str:
    if options.use_mlock:
        return "MMAP_MLOCK" if options.use_mmap else "MLOCK"
    return "MMAP" if options.use_mmap else "NONE"
