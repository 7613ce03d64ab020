"""The memory of a model that llama.cpp loads."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from uml_core.planning.estimate.cache import Cache
from uml_core.planning.estimate.compute import Compute
from uml_core.planning.estimate.layout import Span, spans
from uml_core.planning.estimate.vocabulary import Vocabulary
from uml_core.planning.estimate.weights import Weights
from uml_core.types import HOST, MemoryPart, ModelCard, Placement, Shape


class GgmlRule:
    """The parts of *model*, whose *shape* is known."""

    def __init__(self, model: ModelCard, shape: Shape, *, isa: Collection[str] | None, serves: bool) -> None:
        self._blocks = len(shape.layers)
        self._weights = Weights(model, shape, isa)
        self._cache = Cache(shape.layers)
        self._compute = Compute(shape)
        self._vocabulary = Vocabulary(model, shape, serves=serves)

    def parts(self, *, context_length: int, parallel: int, placement: Placement) -> Iterator[MemoryPart]:
        """Weights, cache and compute of each device that has some."""
        dealt = spans(self._blocks, placement)
        yield from self._weights.on(dealt, placement)
        yield from self._caches(dealt, context_length=context_length, parallel=parallel, placement=placement)
        yield from self._computing(dealt, context_length=context_length, parallel=parallel, placement=placement)

    def late_bytes(self, placement: Placement) -> int:
        """See :meth:`uml_core.planning.estimate.Estimator.late_bytes`."""
        return self._compute.driver_bytes(placement.devices)

    def _caches(
        self, dealt: tuple[Span, ...], *, context_length: int, parallel: int, placement: Placement
    ) -> Iterator[MemoryPart]:
        if not placement.cache_on_device:
            dealt = (Span(HOST, 0, self._blocks),)
        for span in dealt:
            size_bytes = self._cache.between(
                span.start, span.end, context_length=context_length, parallel=parallel, placement=placement
            )
            yield MemoryPart.exact(span.device, "kv_cache", size_bytes)

    def _computing(
        self, dealt: tuple[Span, ...], *, context_length: int, parallel: int, placement: Placement
    ) -> Iterator[MemoryPart]:
        """Each device takes all that it sets aside; the host what is touched, with vocabulary and graph."""
        room = self._compute.room(context_length=context_length, parallel=parallel, placement=placement)
        kept = (
            self._vocabulary.kept_bytes(parallel)
            + self._compute.graph_bytes
            + self._compute.driver_bytes(placement.devices)
        )
        first, full = room.first, room.full
        if len(dealt) > 1 and not dealt[0].end and not placement.cpu_experts and placement.cache_on_device:
            inputs = self._compute.input_bytes(context_length=context_length, parallel=parallel, placement=placement)
            first, full = 0, inputs
        yield MemoryPart(
            device=HOST, kind="compute", size_bytes=kept + full, low_bytes=kept + first, high_bytes=kept + room.most
        )
        for span in dealt[1:]:
            yield MemoryPart(
                device=span.device, kind="compute", size_bytes=room.full, low_bytes=room.first, high_bytes=room.most
            )
