"""From options to llama.cpp's parameters."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import llama_cpp as c

from uml_core.types import Plan
from uml_llamacpp.options import Options

_ALL_LAYERS = 0x7FFFFFFF
_UBATCH = 512
_STEP = 256
_EXPERTS = r"blk\.(%s)\.ffn_(up|down|gate|gate_up)_(ch|)exps"


def model_parameters(options: Options, progress: Callable[[float], None]) -> Any:
    """What the weights are loaded with; *progress* is called with 0 to 1 while they are."""

    def report(part: float, _: object) -> bool:
        progress(part)
        return True  # False would abort the load

    filled = c.llama_model_default_params()
    filled.progress_callback = c.llama_progress_callback(report)
    filled.n_gpu_layers = _ALL_LAYERS if options.n_gpu_layers in {None, -1} else options.n_gpu_layers
    filled.load_mode = getattr(c, f"LLAMA_LOAD_MODE_{_load_mode(options)}")
    _split(filled, options)
    if options.n_cpu_moe:
        filled.rules = _experts_in_memory(options.n_cpu_moe)  # the field below is an address, which keeps nothing alive
        filled.tensor_buft_overrides = ctypes.addressof(filled.rules)
    return filled


def _split(filled: Any, options: Options) -> None:
    """Where several GPUs are. Those without a share may not be seen here at all; then the others have new numbers."""
    first, shares = options.main_gpu, options.tensor_split
    if "UML_GPUS" in os.environ:
        first, shares = first and 0, [share for share in shares or () if share]
    used = [gpu for gpu, share in enumerate(shares) if share] if shares else [first]
    alone = len(used) == 1 and used[0] is not None and options.split_mode is None
    filled.main_gpu = (used[0] if alone else first) or 0
    mode = "none" if alone else options.split_mode
    if mode is not None:
        filled.split_mode = getattr(c, f"LLAMA_SPLIT_MODE_{mode.upper()}")
    if shares and not alone:
        filled.tensor_split = (ctypes.c_float * max(len(shares), c.llama_max_devices()))(*shares)


class _Override(ctypes.Structure):
    """``llama_model_tensor_buft_override``: which tensors go where; llama-cpp-python has no binding of it."""

    _fields_ = (("pattern", ctypes.c_char_p), ("place", ctypes.c_void_p))


def _experts_in_memory(blocks: int) -> Any:
    """Keep the experts of the first *blocks* off the GPUs. The list ends with an empty entry."""
    from llama_cpp._ggml import libggml  # the only library of the package that is not in its namespace

    libggml.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
    pattern = _EXPERTS % "|".join(map(str, range(blocks)))
    return (_Override * 2)(_Override(pattern.encode(), libggml.ggml_backend_cpu_buffer_type()))


def context_parameters(plan: Plan, options: Options) -> Any:
    """What the context of ``plan.parallel`` sequences is made with, each in a cache of its own."""
    filled = c.llama_context_default_params()
    filled.n_ctx, filled.n_seq_max = _shared(plan), plan.parallel
    filled.kv_unified = False  # else every token would be compared with those of all sequences
    filled.n_batch, filled.n_ubatch = options.n_batch, min(options.n_batch, options.n_ubatch or _UBATCH)
    filled.n_outputs_max = plan.parallel  # else room is kept for a whole batch's logits, of which we ask for the last
    filled.n_threads = options.n_threads or plan.threads
    filled.n_threads_batch = options.n_threads_batch or filled.n_threads
    filled.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_AUTO if options.flash_attn is None else int(options.flash_attn)
    filled.swa_full = bool(options.swa_full)
    for name in ("type_k", "type_v"):
        if (kind := getattr(options, name)) is not None:
            setattr(filled, name, getattr(c, f"GGML_TYPE_{kind.upper()}"))
    for name in ("offload_kqv", "rope_freq_base", "rope_freq_scale"):
        if (value := getattr(options, name)) is not None:
            setattr(filled, name, value)
    return filled


def _shared(plan: Plan) -> int:
    """The tokens of all sequences, of which each gets an equal share: llama.cpp has shares in steps of so many."""
    if plan.parallel == 1:
        return plan.context_length
    return -(-plan.context_length // _STEP) * _STEP * plan.parallel


def _load_mode(options: Options) -> str:
    mapped = options.use_mmap is not False
    if options.use_mlock:
        return "MMAP_MLOCK" if mapped else "MLOCK"
    return "MMAP" if mapped else "NONE"
