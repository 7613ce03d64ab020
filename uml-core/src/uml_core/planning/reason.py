"""Why a model is recommended, in a sentence for a person."""

from __future__ import annotations

from uml_core.planning.expectation import Expectation
from uml_core.planning.sizes import amount
from uml_core.types import ModelCard

RANKS = ("the most capable", "the next best", "another")


def reason_of(
    model: ModelCard,
    *,
    place: int,
    slow: bool,
    writes: bool,
    speed: Expectation | None,
    needs_bytes: int,
    budget_bytes: int,
) -> str:
    """``The most capable that writes as fast as you read: 1.7B parameters at 4.8 bits; 24 tokens/s, measured; …``.

    :param place: how many are better
    :param slow: it writes slower than people read
    :param writes: it writes at all, so that its speed matters
    """
    rank = RANKS[min(place, len(RANKS) - 1)]
    what = f"{rank} that fits" if not writes or speed is None else f"{rank} that writes as fast as you read"
    if slow:
        what = "it fits, but writes slower than you read"
    said = f"{what}: {_size(model)}; {_speed(speed) if writes else ''}needs {amount(needs_bytes)} of the "
    return f"{said[0].upper()}{said[1:]}{amount(budget_bytes)} that can be used"


def _size(model: ModelCard) -> str:
    bits = f" at {model.bits_per_weight:.1f} bits" if model.bits_per_weight else ""
    if not model.parameters:
        return f"{model.quantization or 'a model'} of unknown size{bits}"
    return f"{_count(model.parameters)} parameters{bits or (f' in {model.quantization}' if model.quantization else '')}"


def _speed(speed: Expectation | None) -> str:
    if speed is None:
        return "its speed here is not known yet, `uml bench` measures it; "
    number = f"{speed.tokens_per_s:.0f}" if speed.tokens_per_s >= 10 else f"{speed.tokens_per_s:.1f}"
    how = {
        "measured": "measured here",
        "estimated": f"estimated from '{speed.source}'",
        "guessed": "guessed from the cores, for nothing was measured here yet",
    }[speed.how]
    return f"{number} tokens/s, {how}; "


def _count(parameters: int) -> str:
    for unit, scale in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if parameters >= scale:
            number = parameters / scale
            return f"{number:.0f}{unit}" if number >= 10 else f"{number:.1f}{unit}"
    return str(parameters)
