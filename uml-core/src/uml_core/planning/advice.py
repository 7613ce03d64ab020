"""What is recommended, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen


@frozen(kw_only=True)
class Recommendation:
    """A model that fits, and why it is where it is.

    ``decode_tokens_per_s`` is None where nothing is known of the speed; ``measured`` says that this model was measured
    on this machine, else it is an estimate from others that were.
    """

    model_id: str
    backend: str
    needs_bytes: int
    budget_bytes: int
    decode_tokens_per_s: float | None
    measured: bool
    reason: str


@frozen(kw_only=True)
class LeftOut:
    """A model that can't be recommended, and why not: the rest of a sentence that begins with its name."""

    model_id: str
    reason: str


@frozen(kw_only=True)
class Advice:
    """The recommended models, the best first, and all that were left out."""

    recommended: tuple[Recommendation, ...]
    left_out: tuple[LeftOut, ...]
    budget_bytes: int

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.recommended)
