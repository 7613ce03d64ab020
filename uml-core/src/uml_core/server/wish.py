"""What a client wishes to have loaded, and how: what the bodies of ``POST /load_model`` and ``POST /plan`` share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from uml_core.errors import BadRequestError
from uml_core.types import LoadRequest

Name = Annotated[str, Field(min_length=1, max_length=512)]
DEVICE = r"^(cpu|(cuda|rocm|metal|vulkan)(:\d{1,3})?)$"
CACHE_TYPE = r"^[a-z][a-z0-9_]{1,15}$"


class Wished(BaseModel):
    """A model and how to load it; what is absent is planned. A model is a name here; paths are for the command line."""

    model_config = ConfigDict(extra="forbid")

    model: Name
    backend: Name | None = Field(None, description="the backend to load it with; chosen when absent")
    context_length: int | None = Field(None, gt=0, le=2**24, description="tokens a sequence")
    parallel: int | None = Field(None, gt=0, le=64, description="sequences at once")
    threads: int | None = Field(None, gt=0, le=1024, description="CPU threads of the worker")
    spin: bool | None = Field(None, description="whether idle threads of the worker wait busily")
    device: str | None = Field(None, pattern=DEVICE, description="where its layers go: `cpu`, `cuda`, `cuda:1` …")
    cache_type: str | None = Field(None, pattern=CACHE_TYPE, description="number type of the KV cache: `f16`, `q8_0` …")
    force: bool = Field(default=False, description="load it although the plan says that it doesn't fit")
    options: Annotated[dict[str, Any], Field(max_length=256)] | None = Field(
        None, description="the backend's own options"
    )

    def to_load(self) -> LoadRequest:
        """What the planner and the supervisor are asked.

        :raises BadRequestError: the model is given as a path
        """
        if self.model.startswith(("/", ".", "~")) or "\\" in self.model or "/../" in self.model:
            raise BadRequestError(
                f"'{self.model}' is a path, but over HTTP a model is a name of `GET /models`; put the file into the "
                "models folder, or use `uml run` with its path",
                param="model",
            )
        said = {name: getattr(self, name) for name in Wished.model_fields}
        return LoadRequest(**said | {"options": self.options or {}})
