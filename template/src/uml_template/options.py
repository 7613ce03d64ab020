"""What may be asked for one load, also over HTTP: so every number has a bound. Keep the engine's own names."""

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """The options of the backend `template`."""

    model_config = ConfigDict(extra="forbid")

    order: int = Field(2, ge=1, le=8, description="how many words decide about the next one")
