"""How models did on this machine, and which of them fit it best."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from uml_core.server.catalog import Catalog
from uml_core.server.inventory import Inventory
from uml_core.server.json import json_response
from uml_core.server.wish import Name
from uml_core.types import Profile

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

Seconds = Annotated[float, Field(ge=0, lt=1e6, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, lt=1e9, allow_inf_nan=False)]
Size = Annotated[int, Field(ge=0, lt=2**63)]
Wish = Annotated[str | None, Query(max_length=512)]


class ProfileRequest(BaseModel):
    """The body of ``POST /profiles``: one measurement, as ``uml bench`` makes it."""

    model_config = ConfigDict(extra="forbid")

    model_id: Name
    model_bytes: Size = Field(description="size of the model's files; a profile of another size is another model's")
    backend: Name
    engine: str = Field("", max_length=200, description="the engine and its version")
    machine: Name = Field(description="processor, cores and devices")
    threads: int = Field(gt=0, le=4096)
    spin: bool | None = Field(None, description="whether idle threads waited busily; as the engine does when absent")
    busy: bool = Field(default=False, description="whether another process used a core meanwhile")
    context_length: int = Field(gt=0, le=2**31, description="tokens")
    parallel: int = Field(1, gt=0, le=1024, description="sequences at once")
    options: Annotated[dict[str, Any], Field(max_length=256)] = Field(default_factory=dict)
    load_s: Seconds | None = None
    first_token_s: Seconds | None = None
    prompt_tokens_per_s: Speed | None = None
    decode_tokens_per_s: Speed | None = None
    memory_bytes: Size | None = None
    device_bytes: Size | None = None
    runs: int = Field(1, gt=0, le=10**6, description="the values are medians of so many")
    source: Literal["bench", "served"] = "bench"
    measured: AwareDatetime | None = Field(None, description="when; now when absent")

    def to_profile(self, model_id: str) -> Profile:
        """The measurement of that model."""
        said = self.model_dump() | {"model_id": model_id, "measured": self.measured or datetime.now(UTC)}
        return Profile(**said)


def profiles_router(*, inventory: Inventory, catalog: Catalog, supervisor: Supervisor) -> APIRouter:
    """Measurements, and what follows from them."""
    router = APIRouter(tags=["models"])

    @router.get("/profiles")
    async def list_profiles(model: Wish = None) -> Response:
        """List the measurements of all models or of one, newest first: load time, speeds and memory by backend."""
        return json_response({"object": "list", "data": await asyncio.to_thread(inventory.profiles, model)})

    @router.post("/profiles")
    async def put_profile(asked: ProfileRequest) -> Response:
        """Have a measurement remembered; what it says decides between backends from then on."""
        profile = asked.to_profile(await catalog.id_of(asked.model_id))
        return json_response(inventory.put_profile(profile))

    @router.get("/recommendations")
    async def recommendations(task: Wish = None) -> Response:
        """Recommend the models that fit this machine best, each with the reason, and say why the others were left out.

        For a `task`: a word such as `chat` or `embeddings`, or a pipeline tag. What is loaded counts as free memory.
        """
        freed = await supervisor.freed()
        return json_response(await asyncio.to_thread(inventory.advice, task, freed=freed))

    return router
