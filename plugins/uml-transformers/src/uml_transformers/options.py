"""What may be asked for one load, under transformers' own names, and what only the settings file may say."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from uml_core.python_settings import PythonSettings


class Options(BaseModel):
    """Options of one load. The context, the device and the sequences at once are core's own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto",
        description="number type of the weights; auto: as stored, but 16 bits on a GPU, and no float16 elsewhere",
    )
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = Field(
        None, description="spread the model over all GPUs that it is allowed, as accelerate does it"
    )
    attn_implementation: Literal["eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3"] | None = (
        Field(None, description="compute attention as transformers does it, one sequence after the other")
    )
    load_in_8bit: bool = Field(default=False, description="quantize to 8 bits while loading (bitsandbytes)")
    load_in_4bit: bool = Field(default=False, description="quantize to 4 bits while loading (bitsandbytes)")
    max_batch_tokens: int | None = Field(
        None, ge=1, le=65536, description="prompt tokens in one step, of all together; 512, on a GPU 2048"
    )
    cuda_graphs: bool = Field(default=True, description="replay each step of writing as one CUDA graph")

    @field_validator("load_in_8bit", "load_in_4bit")
    @classmethod
    def _have_what_quantizes(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        """Refused while it is planned, when another model still answers; a worker sees for itself."""
        if value and info.context and "settings" in info.context:
            from uml_core.host.engine import is_installed  # not for a worker, which reads its options here too

            python = str(info.context["settings"].get("python") or "")
            if not is_installed("bitsandbytes", interpreter=python):
                raise ValueError("it needs bitsandbytes, which is not installed (pip install bitsandbytes)")
        return value

    @model_validator(mode="before")
    @classmethod
    def _name_the_neutral_word(cls, data: Any) -> Any:
        if isinstance(data, dict) and "torch_dtype" in data:
            raise ValueError("'torch_dtype' is called dtype")
        return data

    @model_validator(mode="after")
    def _quantize_once(self) -> Options:
        if self.load_in_4bit and self.load_in_8bit:
            raise ValueError("load_in_4bit and load_in_8bit can't both be said")
        return self


class Settings(PythonSettings):
    """``[plugins.transformers]``: where the engine is, and whose code may run."""

    trust_remote_code: bool = Field(
        default=False, description="run Python files that come with a model, if transformers has no code of its own"
    )
