"""The command line of a llama-server program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from uml_core.types import Launch, Plan
from uml_llamaserver.server import encodes, split, whole_batch, whole_texts

FLAGS = {
    "n_gpu_layers": "--n-gpu-layers",
    "n_cpu_moe": "--n-cpu-moe",
    "n_batch": "--batch-size",
    "n_ubatch": "--ubatch-size",
    "flash_attn": "--flash-attn",
    "cache_type_k": "--cache-type-k",
    "cache_type_v": "--cache-type-v",
    "load_mode": "--load-mode",
    "rope_freq_base": "--rope-freq-base",
    "rope_freq_scale": "--rope-freq-scale",
    "cache_ram": "--cache-ram",
}
SWITCHES = {
    ("swa_full", True): "--swa-full",
    ("warmup", False): "--no-warmup",
    ("kv_offload", False): "--no-kv-offload",
}
ENCODES = {"embed": "--embeddings", "rank": "--reranking"}
SPLIT = ("--main-gpu", "--split-mode", "--tensor-split")


def argv(plan: Plan, launch: Launch, *, narrowed: bool = False) -> tuple[str, ...]:
    """Everything that llama-server is told; the token goes by file, for others can read argv."""
    threads = plan.options.get("n_threads") or plan.threads
    said = {"tasks": plan.tasks, "context_length": plan.context_length, "parallel": plan.parallel}
    said |= {"options": plan.options}
    kind = encodes(said)
    pairs = {
        "--model": plan.model.path,
        "--alias": plan.model_id,
        "--ctx-size": plan.context_length * plan.parallel,  # it is shared among the sequences
        "--parallel": whole_texts(said) if kind else plan.parallel,
        "--threads": threads,
        "--threads-batch": plan.options.get("n_threads_batch") or threads,
        "--host": launch.host,
        "--port": launch.port,
        "--api-key-file": launch.token_file,
    }
    words = [str(word) for pair in pairs.items() for word in pair]
    return (
        str(plan.settings["binary"]),
        *words,
        "--no-webui",
        "--no-slots",
        "--offline",
        *_chosen(plan, narrowed=narrowed),
        *((ENCODES[kind], "--kv-unified", *_batch(whole_batch(said))) if kind else ()),
    )


def _batch(tokens: int) -> tuple[str, ...]:
    """The last word on it: of a flag that is there twice, the second counts."""
    return ("--batch-size", str(tokens), "--ubatch-size", str(tokens))


def _chosen(plan: Plan, *, narrowed: bool) -> Iterator[str]:
    for name, flag in FLAGS.items():
        if (value := plan.options.get(name)) is not None:
            yield from (flag, _word(value))
    for flag, value in zip(SPLIT, split(plan.options, narrowed=narrowed), strict=True):
        if value:
            yield from (flag, _word(value))
    yield from (flag for (name, wanted), flag in SWITCHES.items() if plan.options.get(name) is wanted)


def _word(value: Any) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
