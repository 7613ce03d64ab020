"""One load through llama-cpp-python; the case as JSON in, what it holds as JSON out.

``empty`` is with the engine imported, ``used`` after a full batch for each sequence, or after the whole context was
filled if the case says so.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import llama_cpp as c

from estimating.buffers import buffers
from estimating.memory import held


def main() -> None:
    case: dict[str, Any] = json.loads(sys.argv[1])
    lines: list[str] = []
    log = c.llama_log_callback(lambda _, text, __: lines.append(text.decode(errors="replace")))
    c.llama_log_set(log, None)
    c.llama_backend_init()
    empty = held(case["model"])
    model = c.llama_model_load_from_file(os.fsencode(case["model"]), _model_parameters(case))
    context = c.llama_init_from_model(model, _context_parameters(case))
    if context is None:
        sys.exit("".join(lines[-20:]))
    count = min(case["batch"], case["context_length"])
    for sequence in range(case["parallel"]):
        for at in range(0, case["context_length"] - count + 1 if case["full"] else 1, count):
            _compute(context, sequence, at, count)
    print(json.dumps({"empty": empty, "used": held(case["model"]), **buffers(lines)}), flush=True)
    os._exit(0)


def _model_parameters(case: dict[str, Any]) -> Any:
    filled = c.llama_model_default_params()
    filled.n_gpu_layers = case["gpu_layers"]
    filled.load_mode = c.LLAMA_LOAD_MODE_MMAP if case["mapped"] else c.LLAMA_LOAD_MODE_NONE
    if split := case["split"]:
        filled.tensor_split = (c.ctypes.c_float * max(16, c.llama_max_devices()))(*split)
    return filled


def _context_parameters(case: dict[str, Any]) -> Any:
    filled = c.llama_context_default_params()
    filled.n_ctx, filled.n_seq_max = case["context_length"] * case["parallel"], case["parallel"]
    filled.n_batch = filled.n_ubatch = case["batch"]
    filled.n_outputs_max, filled.n_outputs_max_per_seq = case["parallel"], 1
    filled.n_threads = filled.n_threads_batch = os.cpu_count() or 1
    attention = case["flash_attention"]
    filled.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_AUTO if attention is None else int(attention)
    filled.swa_full, filled.offload_kqv = case["full_window"], case["cache_on_device"]
    filled.type_k = getattr(c, f"GGML_TYPE_{case['cache_type_k'].upper()}")
    filled.type_v = getattr(c, f"GGML_TYPE_{case['cache_type_v'].upper()}")
    return filled


def _compute(context: Any, sequence: int, at: int, count: int) -> None:
    """As a worker does: the scores of the last token only."""
    batch = c.llama_batch_init(count, 0, 1)
    batch.n_tokens = count
    for index in range(count):
        batch.token[index] = (at + index) * 7 % 900 + 50
        batch.pos[index] = at + index
        batch.n_seq_id[index] = 1
        batch.seq_id[index][0] = sequence
        batch.logits[index] = index == count - 1
    if code := c.llama_decode(context, batch):
        sys.exit(f"llama_decode gave {code}")
    c.llama_batch_free(batch)


if __name__ == "__main__":
    main()
