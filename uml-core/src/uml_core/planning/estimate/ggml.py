"""The memory of a model that llama.cpp loads."""

from __future__ import annotations

from collections.abc import Iterator

from uml_core.planning.estimate.cache import Cache
from uml_core.planning.estimate.compute import Room, compute_room, vocabulary_bytes
from uml_core.planning.estimate.layout import Span, spans
from uml_core.planning.estimate.weights import Weights
from uml_core.types import HOST, MemoryPart, ModelCard, Placement, Shape


class GgmlRule:
    """The parts of *model*, whose *shape* is known."""

    def __init__(self, model: ModelCard, shape: Shape) -> None:
        self._shape = shape
        self._weights = Weights(model, shape)
        self._cache = Cache(shape.layers)

    def parts(self, *, context_length: int, parallel: int, placement: Placement) -> Iterator[MemoryPart]:
        """Weights, cache and compute of each device that has some."""
        dealt = spans(len(self._shape.layers), placement)
        for device, size_bytes in self._weights.on(dealt, placement):
            yield MemoryPart.exact(device, "weights", size_bytes)
        yield from self._caches(dealt, context_length=context_length, parallel=parallel, placement=placement)
        room = compute_room(self._shape, context_length=context_length, parallel=parallel, placement=placement)
        yield from (self._computing(span, room, alone=len(dealt) == 1) for span in dealt)

    def _caches(
        self, dealt: tuple[Span, ...], *, context_length: int, parallel: int, placement: Placement
    ) -> Iterator[MemoryPart]:
        if not placement.cache_on_device:
            dealt = (Span(HOST, 0, len(self._shape.layers)),)
        for span in dealt:
            size_bytes = self._cache.between(
                span.start, span.end, context_length=context_length, parallel=parallel, placement=placement
            )
            yield MemoryPart.exact(span.device, "kv_cache", size_bytes)

    def _computing(self, span: Span, room: Room, *, alone: bool) -> MemoryPart:
        """A device takes what is set aside; the host what is touched, and the vocabulary."""
        if span.device != HOST:
            return MemoryPart(
                device=span.device,
                kind="compute",
                size_bytes=room.reserved,
                low_bytes=room.touched,
                high_bytes=room.reserved,
            )
        words = vocabulary_bytes(self._shape)
        touched, reserved = (room.touched, room.reserved) if alone or span.end else (0, room.touched)
        return MemoryPart(
            device=HOST, kind="compute", size_bytes=words + touched, low_bytes=words, high_bytes=words + reserved
        )
