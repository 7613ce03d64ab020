"""What may be asked for one load, under the names of llama-cpp-python, and what only the settings file may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uml_core.python_settings import PythonSettings

CacheType = Literal["f32", "f16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
Share = Annotated[float, Field(ge=0, le=1e6)]


class Options(BaseModel):
    """Options of one load; llama.cpp decides what is left out. The context is core's own word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_gpu_layers: int | None = Field(
        None, ge=-1, le=9999, description="layers on the GPU; -1 is all; as planned, else all"
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
    n_batch: int = Field(512, ge=1, le=16384, description="prompt tokens in one step")
    n_ubatch: int | None = Field(None, ge=1, le=16384, description="prompt tokens computed at once; 512")
    n_threads: int | None = Field(None, ge=1, le=512, description="CPU threads for each token; as planned")
    n_threads_batch: int | None = Field(None, ge=1, le=512, description="CPU threads for the prompt; as n_threads")
    flash_attn: bool | None = Field(None, description="flash attention; llama.cpp decides")
    type_k: CacheType | None = Field(None, description="number type of the cached keys; f16")
    type_v: CacheType | None = Field(None, description="number type of the cached values; f16")
    offload_kqv: bool | None = Field(None, description="keep the cache on the GPU; true")
    use_mmap: bool | None = Field(None, description="map the file instead of reading it; true")
    use_mlock: bool = Field(default=False, description="keep the model from being swapped out")
    rope_freq_base: float | None = Field(None, gt=0, le=1e12, description="base frequency of RoPE; the model's")
    rope_freq_scale: float | None = Field(None, gt=0, le=1e3, description="frequency factor of RoPE; the model's")
    swa_full: bool | None = Field(None, description="keep the whole cache of a sliding window; false")

    @model_validator(mode="before")
    @classmethod
    def _name_the_neutral_word(cls, data: Any) -> Any:
        if isinstance(data, dict) and "n_ctx" in data:
            raise ValueError("'n_ctx' is extra: say context_length, which every backend has")
        return data

    @model_validator(mode="after")
    def _attend_as_the_cache_needs(self) -> Options:
        if self.flash_attn is False and self.type_v not in {None, "f16", "f32"}:
            raise ValueError(f"cached values of the type {self.type_v} need flash attention: leave flash_attn out")
        return self


class Settings(PythonSettings):
    """``[plugins.llamacpp]``: where the engine is."""
