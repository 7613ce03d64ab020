"""Which of the models on this disk fits this machine best."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from uml_core.host import probe_host
from uml_core.planning.advice import Advice, LeftOut, Recommendation
from uml_core.planning.adviser import Adviser
from uml_core.planning.task import wish_of

if TYPE_CHECKING:
    from uml_core.planning.plan import Planner

NOTHING: Mapping[str, int] = MappingProxyType({})

__all__ = ("Advice", "LeftOut", "Recommendation", "recommend")


def recommend(
    planner: Planner,
    *,
    task: str | None = None,
    limit: int = 5,
    freed: Mapping[str, int] = NOTHING,
) -> Advice:
    """Say which models on this disk fit this machine best; reads headers that aren't known yet.

    The most capable one that answers at reading speed (7 tokens/s) comes first, by parameters and bits per weight.

    :param task: a word such as ``chat`` or ``embeddings``, or a pipeline tag; anything when absent
    :param limit: how many at most; the others are left out with that reason
    :param freed: bytes that are free once what is loaded now is unloaded: of ``cpu``, and by uuid of devices
    :raises BadRequestError: there is no such task
    """
    return Adviser(planner, wish_of(task), probe_host(), freed).advise(limit)
