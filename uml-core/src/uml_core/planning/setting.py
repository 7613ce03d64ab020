"""One way to load a model, and what may be chosen of it."""

from __future__ import annotations

from enum import IntEnum

from attrs import frozen

from uml_core.types import Placement


class Tier(IntEnum):
    """How much of a model's blocks lies on devices; a block whose experts stay in memory is half there."""

    LESS = 0
    HALF = 1
    ALL = 2


@frozen(kw_only=True)
class Setting:
    """What the memory of a load depends on: tokens of context a sequence, sequences at once, and the placement."""

    context_length: int
    parallel: int
    placement: Placement


@frozen(kw_only=True)
class Step:
    """So many layers on devices, counted from the output layer on, and of the first blocks the experts in memory."""

    gpu_layers: int = 0
    cpu_experts: int = 0

    def tier(self, blocks: int) -> Tier:
        """How good that is for a model of so many blocks."""
        if self.gpu_layers > blocks and not self.cpu_experts:
            return Tier.ALL
        there = max(0, min(self.gpu_layers - 1, blocks))
        halves = max(0, self.cpu_experts - (blocks - there))
        return Tier.HALF if there and there - halves / 2 >= blocks / 2 else Tier.LESS


@frozen(kw_only=True)
class Scope:
    """What may be chosen, each the best first: all of it where nobody said anything, else what was said.

    ``usable`` is the context below which a model is hardly of use: a place that has room for it goes before a faster
    one that has not. ``whole``: a text is computed at once, however long it is.
    """

    context_lengths: tuple[int, ...]
    usable: int
    cache_types: tuple[tuple[str, str], ...]
    parallels: tuple[int, ...]
    steps: tuple[Step, ...]
    blocks: int
    whole: bool = False
