"""A model that could be loaded here, and its place among others."""

from __future__ import annotations

from attrs import frozen

from uml_core.planning.expectation import Expectation
from uml_core.planning.quality import quality
from uml_core.types import ModelCard, StoredModel

READING_TOKENS_PER_S = 7.0
"""As fast as people read."""


@frozen(kw_only=True)
class Option:
    """Such a model; ``writes`` says that its speed matters to a reader."""

    stored: StoredModel
    model: ModelCard
    backend: str
    needs_bytes: int
    budget_bytes: int
    speed: Expectation | None
    writes: bool

    @property
    def slow(self) -> bool:
        return self.writes and self.speed is not None and self.speed.tokens_per_s < READING_TOKENS_PER_S

    @property
    def order(self) -> tuple[bool, float, str]:
        """A speed to read along first, then the more capable; among slow ones the faster first."""
        speed = self.speed.tokens_per_s if self.speed else 0.0
        return self.slow, -(speed if self.slow else quality(self.model)), self.stored.id
