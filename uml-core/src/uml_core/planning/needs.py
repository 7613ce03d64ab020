"""How much memory a model takes when it is loaded: a figure to rank and to list by, not the exact plan."""

from __future__ import annotations

from uml_core.planning.estimate import Estimator
from uml_core.types import ModelCard, Placement

CACHE_TYPES = {4: "q4_0", 8: "q8_0", 16: "f16", 32: "f32"}


def needs_bytes(card: ModelCard, *, context_length: int, kv_bits: int = 16) -> int:
    """Add up what one sequence takes in the machine's memory, with all that a worker takes.

    :param context_length: tokens of context; no more than the model was trained with are counted
    :param kv_bits: bits of each number in the cache: 4, 8, 16 or 32
    """
    tokens = min(context_length, card.context_length or context_length)
    cache_type = CACHE_TYPES[kv_bits]
    placement = Placement(cache_type_k=cache_type, cache_type_v=cache_type)
    return Estimator(card).at(context_length=tokens, placement=placement).total_bytes
