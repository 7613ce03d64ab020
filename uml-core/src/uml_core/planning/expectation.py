"""How fast a model writes on this machine: measured, or estimated from models that were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Literal

from attrs import frozen

from uml_core.planning.quality import active_part
from uml_core.types import HostInfo, ModelCard

CORE_BYTES_PER_S = 4e9
MOST_BYTES_PER_S = 40e9
"""What a core, and the memory of a usual machine, may be expected to read: the guess where nothing was measured."""


@frozen(kw_only=True)
class Expectation:
    """Tokens a second, and how they are known: ``measured``, ``estimated`` from ``source``, or ``guessed``."""

    tokens_per_s: float
    how: Literal["measured", "estimated", "guessed"]
    source: str = ""


@frozen(kw_only=True)
class Measurement:
    """One model that was measured here."""

    model_id: str
    backend: str
    read_bytes: float
    tokens_per_s: float


def read_bytes(card: ModelCard) -> float:
    """The weights that have to be read for each token; that is what decoding takes its time for."""
    return max(1.0, card.size_bytes * active_part(card))


def expected(
    card: ModelCard, backend: str, *, measurements: Sequence[Measurement], host: HostInfo, has_device: bool
) -> Expectation | None:
    """Estimate by the bytes a second that the measured model of the most similar size was read with.

    One of the same backend is preferred. Without any, cores and memory are guessed from; None where a device would
    decide, of which nothing is known.
    """
    size = read_bytes(card)
    same = [one for one in measurements if one.backend == backend] or measurements
    if not same:
        guess = min(host.physical_cores * CORE_BYTES_PER_S, MOST_BYTES_PER_S) / size
        return None if has_device else Expectation(tokens_per_s=guess, how="guessed")
    nearest = min(same, key=_distance(size))
    speed = nearest.tokens_per_s * nearest.read_bytes / size
    return Expectation(tokens_per_s=speed, how="estimated", source=nearest.model_id)


def _distance(size: float) -> Callable[[Measurement], float]:
    return lambda one: abs(log(one.read_bytes / size))
