"""The loads that are measured: a real model in many ways, and random weights in the shapes of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from estimating.case import Case
from uml_core.types import Placement

QUARTER = {"cache_type_k": "q4_0", "cache_type_v": "q4_0"}
HALF = {"cache_type_k": "q8_0", "cache_type_v": "q8_0"}
REAL: tuple[dict[str, Any], ...] = (
    {"context_length": 512},
    {"context_length": 2048},
    {"context_length": 8192},
    {"context_length": 4096, "full": True},
    {"context_length": 1024, "parallel": 4},
    {"context_length": 4096, **HALF},
    {"context_length": 4096, **QUARTER},
    {"context_length": 4096, "batch": 2048},
    {"context_length": 2048, "mapped": False},
    {"context_length": 2048, "flash_attention": False, "full": True},
)
SERVED: tuple[dict[str, Any], ...] = (
    {"context_length": 512},
    {"context_length": 4096},
    {"context_length": 1024, "parallel": 4},
    {"context_length": 4096, **HALF},
)
USUAL: tuple[dict[str, Any], ...] = ({"context_length": 4096},)


@frozen(kw_only=True)
class Recipe:
    """A model of random weights: its name, llama.cpp's name of the architecture, sizes, and the loads of it."""

    name: str
    architecture: str
    sizes: dict[str, Any]
    loads: tuple[dict[str, Any], ...] = USUAL
    engines: tuple[str, ...] = ("llama",)


RANDOM = (
    Recipe(
        name="Llama 3.2 1B",
        architecture="llama",
        sizes={
            "layers": 16, "width": 2048, "heads": 32, "kv_heads": 8, "feed_forward": 8192,
            "vocabulary": 128_256, "tied": True, "weights": "Q4_0",
        },
        loads=({"context_length": 4096}, {"context_length": 4096, **HALF}, {"context_length": 2048, "mapped": False}),
    ),
    Recipe(
        name="Llama 3 8B, 6 layers",
        architecture="llama",
        sizes={
            "layers": 6, "width": 4096, "heads": 32, "kv_heads": 8, "head_length": 128, "feed_forward": 14_336,
            "vocabulary": 128_256, "weights": "Q4_1",
        },
        loads=({"context_length": 8192}, {"context_length": 4096, "batch": 1024}),
    ),
    Recipe(
        name="Qwen3 0.6B",
        architecture="qwen3",
        sizes={
            "layers": 28, "width": 1024, "heads": 16, "kv_heads": 8, "head_length": 128, "feed_forward": 3072,
            "vocabulary": 151_936, "tied": True,
        },
        loads=({"context_length": 4096}, {"context_length": 8192, **HALF}, {"context_length": 1024, "parallel": 3}),
        engines=("llama", "xllama"),
    ),
    Recipe(
        name="Qwen3 30B-A3B, 8 layers, 16 experts",
        architecture="qwen3moe",
        sizes={
            "layers": 8, "width": 2048, "heads": 32, "kv_heads": 4, "head_length": 128, "feed_forward": 768,
            "experts": 16, "experts_used": 8, "vocabulary": 151_936,
        },
    ),
    Recipe(
        name="Gemma 3 270M",
        architecture="gemma3",
        sizes={
            "layers": 18, "width": 640, "heads": 4, "kv_heads": 1, "head_length": 256, "feed_forward": 2048,
            "vocabulary": 262_144, "window": 512, "tied": True,
        },
        loads=(
            {"context_length": 8192}, {"context_length": 8192, "full_window": True},
            {"context_length": 1024, "parallel": 4},
        ),
        engines=("llama", "xllama"),
    ),
    Recipe(
        name="gpt-oss 20B, 6 layers, 8 experts",
        architecture="gpt-oss",
        sizes={
            "layers": 6, "width": 2880, "heads": 64, "kv_heads": 8, "feed_forward": 2880, "experts": 8,
            "vocabulary": 64_000,
        },
    ),
    Recipe(
        name="DeepSeek V2 Lite, 8 layers, 16 experts",
        architecture="deepseek2",
        sizes={
            "layers": 8, "width": 2048, "heads": 16, "head_length": 192, "rope_length": 64, "value_length": 128,
            "key_value_rank": 512, "query_rank": 1536, "feed_forward": 1408, "experts": 16, "experts_used": 6,
            "vocabulary": 102_400,
        },
    ),
    Recipe(
        name="Mamba 370M",
        architecture="mamba",
        sizes={"layers": 48, "width": 1024, "inner": 2048, "state": 16, "vocabulary": 50_280, "tied": True},
        loads=({"context_length": 4096}, {"context_length": 512, "parallel": 4}),
    ),
    Recipe(
        name="Falcon H1 0.5B, 18 layers",
        architecture="falcon-h1",
        sizes={
            "layers": 18, "width": 1024, "heads": 8, "kv_heads": 2, "inner": 1536, "state": 128, "state_heads": 24,
            "feed_forward": 2048, "vocabulary": 32_784,
        },
        loads=({"context_length": 4096}, {"context_length": 512, "parallel": 4}),
    ),
    Recipe(
        name="Granite 4 H 1B, 20 layers",
        architecture="granitehybrid",
        sizes={
            "layers": 20, "width": 1536, "heads": 12, "kv_heads": 4, "head_length": 128, "inner": 3072,
            "state": 128, "state_heads": 48, "feed_forward": 4096, "vocabulary": 49_160, "attention_every": 10,
        },
    ),
)  # fmt: skip


def real_cases(name: str, model: Path, *, mapped: bool = True) -> Iterator[Case]:
    """Contexts, cache types, slots and batches of one model, with both engines."""
    yield from (_case(name, "llama", model, load) for load in REAL if mapped or load.get("mapped", True))
    yield from (_case(name, "xllama", model, load) for load in SERVED)


def random_cases(recipe: Recipe, model: Path) -> Iterator[Case]:
    """The loads of a model that was written to *model*."""
    for engine in recipe.engines:
        yield from (_case(recipe.name, engine, model, load) for load in _possible(recipe, engine))


def _possible(recipe: Recipe, engine: str) -> Iterator[dict[str, Any]]:
    yield from (load for load in recipe.loads if engine == "llama" or not load.keys() & {"mapped", "full_window"})


def _case(name: str, engine: str, model: Path, load: dict[str, Any]) -> Case:
    own = {key: load[key] for key in ("context_length", "parallel", "full") if key in load}
    rest = {key: value for key, value in load.items() if key not in own}
    return Case(name=name, engine=engine, model=model, placement=Placement(**rest), **own)
