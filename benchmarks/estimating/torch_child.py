"""One load through transformers on the processor; the case as JSON in, what it holds as JSON out.

A prompt as long as the context is computed in batches with a cache that grows, as a worker would.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import transformers

from estimating.memory import held


def main() -> None:
    case: dict[str, Any] = json.loads(sys.argv[1])
    folder = case["model"]
    loader = _loader(folder)
    empty = _trimmed(folder)
    model = loader.from_pretrained(folder, dtype="auto").eval()
    loaded = _trimmed(folder)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forget the highest mark
    cache = _compute(model, case) if model.can_generate() else _embed(model, case)
    used = held(folder) | {"anonymous": _peak()}
    cache_bytes = sum(tensor.nbytes for layer in cache for tensor in (layer.keys, layer.values))
    copied = loaded["anonymous"] - empty["anonymous"]
    print(json.dumps({"empty": empty, "used": used, "copied": copied, "kv_cache": cache_bytes}), flush=True)
    os._exit(0)


def _trimmed(folder: str) -> dict[str, int]:
    """Without what was freed and is kept for later: imports leave tens of megabytes, which the load takes over."""
    gc.collect()
    with contextlib.suppress(AttributeError):  # of a C library that has no such thing
        ctypes.CDLL(None).malloc_trim(0)
    return held(folder)


def _peak() -> int:
    """The most anonymous memory: torch gives back what a batch took, and the allocator keeps some of it by chance."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "kB" in value}
    return (kib["VmHWM"] - kib["RssFile"]) * 1024


def _loader(folder: str) -> Any:
    config = transformers.AutoConfig.from_pretrained(folder)
    writes = any("CausalLM" in name for name in config.architectures or ())
    loader = transformers.AutoModelForCausalLM if writes else transformers.AutoModel
    loader._model_mapping[type(config)]  # noqa: SLF001 - imports the model's own module
    return loader


@torch.inference_mode()
def _compute(model: Any, case: dict[str, Any]) -> Any:
    cache = transformers.DynamicCache(config=model.config)
    for at in range(0, case["context_length"], case["batch"]):
        count = min(case["batch"], case["context_length"] - at)
        tokens = torch.arange(at, at + count).remainder(900).add(50).repeat(case["parallel"], 1)
        model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache.layers


@torch.inference_mode()
def _embed(model: Any, case: dict[str, Any]) -> Any:
    """Every word once: an embedding takes memory where it was read."""
    count = min(case["batch"], case["context_length"], model.config.max_position_embeddings)
    for at in range(0, model.config.vocab_size - count, count):
        model(torch.arange(at, at + count).repeat(case["parallel"], 1))
    return ()


if __name__ == "__main__":
    main()
