from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import evolve, frozen
from pydantic import BaseModel, ConfigDict, Field

from uml_core import hookimpl, plugins
from uml_core.inspection import plugin as formats
from uml_core.planning import Planner
from uml_core.registry import Registry
from uml_core.registry.plugin import BuiltinStores
from uml_core.settings import Settings
from uml_core.testing.gguf import write_gguf
from uml_core.types import (
    BackendInfo,
    Device,
    Holder,
    HostInfo,
    Layer,
    Level,
    Match,
    ModelSource,
    Shape,
)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n_gpu_layers: int | None = Field(None, ge=-1)
    flash_attn: bool = False


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    binary: Path | None = None


class Backend:
    """A backend that answers what it is told to, and keeps what it was asked."""

    uml_api_version = 1

    def __init__(self, name: str, answer: Any = None, **card: Any) -> None:
        self.answer = Match(Level.SUPPORTED, "it reads GGUF") if answer is None else answer
        self.card = {"formats": ("gguf",), "tasks": ("text-generation",), "options": Options, "settings": Table} | card
        self.name = name
        self.asked: list[tuple[Any, ...]] = []

    @hookimpl
    def uml_backend_info(self) -> BackendInfo:
        return BackendInfo(name=self.name, **self.card)

    @hookimpl
    def uml_detect_backend(self, model, host, settings):
        self.asked.append((model, host, settings))
        return self.answer() if callable(self.answer) else self.answer

    @hookimpl
    def uml_launch_worker(self, plan, launch):
        raise AssertionError("planning launches nothing")


class Setup:
    """A models folder with one model, and a planner for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model()

    def model(self, name: str = "Tiny", **metadata: Any) -> Path:
        (self.folder / "models").mkdir(exist_ok=True)
        said = {"general.architecture": "llama", "llama.context_length": 4096} | metadata
        return write_gguf(self.folder / f"models/{name}.gguf", said, tensors={"w": (32,)})

    def planner(self, *backends: Backend, **settings: Any) -> Planner:
        chosen = Settings(data_dir=self.folder, **settings)
        builtins = {"gguf": formats, "stores": BuiltinStores(chosen)} | {one.name: one for one in backends}
        loaded = plugins.load(builtins=builtins, entry_points=())
        return Planner(loaded, Registry(loaded.stores(), loaded.formats(), chosen), chosen)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    return Setup(tmp_path)


@pytest.fixture
def backend() -> Callable[..., Backend]:
    return Backend


HOSTS = Path(__file__).parents[2] / "data/hosts"


class EngineOptions(BaseModel):
    """The options of an engine that can be told everything."""

    model_config = ConfigDict(extra="forbid")

    n_gpu_layers: int | None = Field(None, ge=-1)
    n_cpu_moe: int | None = Field(None, ge=0)
    tensor_split: list[float] | None = None
    main_gpu: int | None = None
    type_k: Literal["f16", "q8_0", "q4_0"] | None = None
    type_v: Literal["f16", "q8_0", "q4_0"] | None = None
    n_ubatch: int | None = None
    flash_attn: bool | None = None
    use_mmap: bool = True
    seed: int | None = None


KNOBS = {
    "gpu_layers": "n_gpu_layers",
    "cpu_experts": "n_cpu_moe",
    "split": "tensor_split",
    "main_device": "main_gpu",
    "cache_type_k": "type_k",
    "cache_type_v": "type_v",
    "batch": "n_ubatch",
    "flash_attention": "flash_attn",
    "mapped": "use_mmap",
}


@frozen(kw_only=True)
class Sketch:
    """The sizes of a model; ``expert_part`` is how much of a layer's weights are experts."""

    architecture: str
    parameters: float
    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    vocabulary: int
    context: int
    experts: int = 0
    experts_used: int = 0
    expert_part: float = 0.0
    window: int | None = None

    def card(self, path: Path, *, bits: float, quantization: str) -> ModelSource:
        """A card of a GGUF with so many bits per weight."""
        size, matrix = int(self.parameters * bits / 8), int(self.vocabulary * self.width * bits / 8)
        block = (size - 2 * matrix) // self.layers
        return ModelSource(
            path=path,
            format="gguf",
            files=(path,),
            size_bytes=size,
            architecture=self.architecture,
            parameters=int(self.parameters),
            context_length=self.context,
            quantization=quantization,
            bits_per_weight=bits,
            tasks=("text-generation",),
            has_chat_template=True,
            shape=Shape(
                embedding_length=self.width,
                feed_forward_length=self.feed_forward,
                heads=self.heads,
                vocabulary_size=self.vocabulary,
                experts=self.experts,
                experts_used=self.experts_used,
                input_bytes=matrix,
                output_bytes=matrix,
                layers=tuple(self._layer(index, block) for index in range(self.layers)),
            ),
        )

    def _layer(self, index: int, block: int) -> Layer:
        sliding = self.window is not None and index % 2 == 0
        return Layer(
            kind="sliding" if sliding else "full",
            kv_heads=self.kv_heads,
            key_length=self.head,
            value_length=self.head,
            window=self.window if sliding else None,
            weight_bytes=block,
            expert_bytes=int(block * self.expert_part),
        )


LLAMA_1B = Sketch(
    architecture="llama", parameters=1.24e9, layers=16, width=2048, heads=32, kv_heads=8, head=64, feed_forward=8192,
    vocabulary=128256, context=131072,
)  # fmt: skip
LLAMA_8B = Sketch(
    architecture="llama", parameters=8.03e9, layers=32, width=4096, heads=32, kv_heads=8, head=128, feed_forward=14336,
    vocabulary=128256, context=131072,
)  # fmt: skip
LLAMA_70B = Sketch(
    architecture="llama", parameters=70.6e9, layers=80, width=8192, heads=64, kv_heads=8, head=128, feed_forward=28672,
    vocabulary=128256, context=131072,
)  # fmt: skip
QWEN3_30B_A3B = Sketch(
    architecture="qwen3moe", parameters=30.5e9, layers=48, width=2048, heads=32, kv_heads=4, head=128, feed_forward=768,
    vocabulary=151936, context=40960, experts=128, experts_used=8, expert_part=0.96,
)  # fmt: skip
BITS = {"Q2_K": 3.0, "Q4_K_M": 4.85, "Q8_0": 8.5, "F16": 16.0}


class Machine:
    """A host of ``tests/data/hosts`` with models on it, whose files are tiny and whose cards are real ones' sizes."""

    def __init__(self, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
        self._setup = setup
        self._monkeypatch = monkeypatch
        self.cards: dict[str, ModelSource] = {}
        self.engine = Backend(
            "engine",
            Match(Level.NATIVE, "made for it", devices=("cuda", "rocm", "metal", "vulkan")),
            options=EngineOptions,
            knobs=KNOBS,
        )
        self.sketches = {"1B": LLAMA_1B, "8B": LLAMA_8B, "70B": LLAMA_70B, "30B-A3B": QWEN3_30B_A3B}
        (setup.folder / "models/Tiny.gguf").unlink(missing_ok=True)

    def host(self, name: str | HostInfo, **changes: Any) -> HostInfo:
        """Be the host of that name from now on."""
        host = evolve(read_host(name) if isinstance(name, str) else name, **changes)
        self._monkeypatch.setattr("uml_core.planning.plan.probe_host", lambda **_: host)
        self._monkeypatch.setattr("uml_core.planning.recommendation.probe_host", lambda **_: host)
        return host

    def add(self, name: str, sketch: Sketch, *quantizations: str) -> Machine:
        """Have a model in these quantizations."""
        for quantization in quantizations:
            id = f"{name}-{quantization}"
            path = self._setup.model(id)
            self.cards[id] = sketch.card(path, bits=BITS[quantization], quantization=quantization)
        return self

    def planner(self, **settings: Any) -> Planner:
        planner = self._setup.planner(self.engine, **settings)
        for ask in ("card", "source"):
            self._monkeypatch.setattr(planner.registry, ask, lambda stored: self.cards[stored.id])
        return planner


def read_host(name: str) -> HostInfo:
    """One of ``tests/data/hosts``."""
    said = json.loads((HOSTS / f"{name}.json").read_text("utf-8"))
    holders = [tuple(Holder(**one) for one in device.pop("holders", ())) for device in said.get("devices", ())]
    devices = (Device(**device, holders=held) for device, held in zip(said.pop("devices", ()), holders, strict=True))
    return HostInfo(
        **{**said, "isa": tuple(said.get("isa", ())), "devices": tuple(devices)}
        | {"holders": tuple(Holder(**one) for one in said.pop("holders", ()))}
    )


@pytest.fixture
def machine(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(setup, monkeypatch)
