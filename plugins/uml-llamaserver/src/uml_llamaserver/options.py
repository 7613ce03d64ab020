"""What may be asked for one load, under llama.cpp's own names, and what only the settings file may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
Share = Annotated[float, Field(ge=0, le=1e6)]

NEUTRAL = {"n_ctx": "context_length, in tokens a sequence", "n_parallel": "parallel"}


class Options(BaseModel):
    """Options of one load; llama.cpp decides what is left out. Context and sequences are core's own two words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_gpu_layers: int | None = Field(
        None, ge=-1, le=9999, description="layers on the GPU; -1 is all; as planned, else as many as fit"
    )
    main_gpu: int | None = Field(
        None, ge=0, le=255, description="the GPU that takes the model whole, unless it is split"
    )
    split_mode: Literal["none", "layer", "row"] | None = Field(None, description="how several GPUs share the model")
    tensor_split: Annotated[list[Share], Field(max_length=16)] | None = Field(
        None, description="each GPU's share of the model, such as [3, 1]"
    )
    n_cpu_moe: int | None = Field(
        None, ge=0, le=9999, description="blocks, from the first on, whose experts stay off it"
    )
    n_batch: int | None = Field(None, ge=1, le=16384, description="prompt tokens in one step; 2048")
    n_ubatch: int | None = Field(None, ge=1, le=16384, description="prompt tokens computed at once; 512")
    n_threads: int | None = Field(None, ge=1, le=512, description="CPU threads for each token; as planned")
    n_threads_batch: int | None = Field(None, ge=1, le=512, description="CPU threads for the prompt; as n_threads")
    flash_attn: Literal["on", "off", "auto"] | None = Field(None, description="flash attention; auto")
    cache_type_k: CacheType | None = Field(None, description="number type of the cached keys; f16")
    cache_type_v: CacheType | None = Field(None, description="number type of the cached values; f16")
    kv_offload: bool | None = Field(None, description="keep the cache on the GPU; true")
    load_mode: Literal["auto", "none", "mmap", "mlock", "mmap+mlock", "dio"] | None = Field(
        None, description="how the file gets into memory; auto, which maps it"
    )
    rope_freq_base: float | None = Field(None, gt=0, le=1e12, description="base frequency of RoPE; the model's")
    rope_freq_scale: float | None = Field(None, gt=0, le=1e3, description="frequency factor of RoPE; the model's")
    swa_full: bool | None = Field(None, description="keep the whole cache of a sliding window; false")
    warmup: bool | None = Field(None, description="run once empty after the load; true")
    cache_ram: int = Field(
        0, ge=0, le=65536, description="MiB of memory for prompts of earlier requests; 0, for no plan counts them"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_the_neutral_words(cls, data: Any) -> Any:
        for name, word in NEUTRAL.items():
            if isinstance(data, dict) and name in data:
                raise ValueError(f"'{name}' is extra: say {word}, which every backend has")
        return data

    @model_validator(mode="after")
    def _attend_as_the_cache_needs(self) -> Options:
        if self.flash_attn == "off" and self.cache_type_v not in {None, "f16", "bf16", "f32"}:
            raise ValueError(
                f"cached values of the type {self.cache_type_v} need flash attention: leave flash_attn out"
            )
        return self


class Settings(BaseModel):
    """``[plugins.llamaserver]``: where the engine is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    binary: Path | None = Field(None, description="a llama-server program to run instead of the xllamacpp package")
    python: Path | None = Field(None, description="the Python that has xllamacpp, when it is not UML's own")
