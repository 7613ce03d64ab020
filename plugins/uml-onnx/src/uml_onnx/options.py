"""What may be asked for one load, under the names of onnxruntime, and what only the settings file may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from uml_core.python_settings import PythonSettings

Provider = Literal["CPU", "CUDA", "ROCM", "MIGraphX", "CoreML", "Dml", "OpenVINO", "XNNPACK"]
Optimization = Literal["disabled", "basic", "extended", "all"]

BATCH = 512


class Options(BaseModel):
    """Options of one load; onnxruntime decides what is left out. Context and threads are core's own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["onnxruntime", "genai"] | None = Field(
        None, description="what runs a model that writes; onnxruntime, and onnxruntime-genai where only that can"
    )
    providers: Annotated[list[Provider], Field(min_length=1, max_length=8)] | None = Field(
        None, description="execution providers, the one that is tried first in front; as planned"
    )
    device_id: int | None = Field(None, ge=0, le=255, description="the GPU that takes the model; as planned")
    batch: int | None = Field(None, ge=1, le=16384, description="prompt tokens in one step; 512")
    intra_op_num_threads: int | None = Field(None, ge=1, le=512, description="CPU threads; as planned")
    graph_optimization_level: Optimization = Field("all", description="how far the graph is rewritten as it is loaded")
    enable_cpu_mem_arena: bool = Field(default=True, description="keep memory for the next step; false takes less")


class Settings(PythonSettings):
    """``[plugins.onnx]``: where the engine is."""
