"""Where the weights of a model in ggml's format lie."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from uml_core.planning.estimate.layout import Span
from uml_core.planning.estimate.prefix import Prefix
from uml_core.planning.estimate.repacking import repacked_bytes, repacks_output
from uml_core.types import HOST, MemoryPart, ModelCard, Placement, Shape

HEADER_BYTES = 36
"""What a word of the vocabulary takes in the header of a file."""


class Weights:
    """The weights of *model*: the embedding stays in memory, the output layer goes where the last blocks go."""

    def __init__(self, model: ModelCard, shape: Shape, isa: Collection[str] | None) -> None:
        count = self._count = len(shape.layers)
        self._blocks = Prefix(_block_bytes(model, shape))
        self._experts = Prefix(layer.expert_bytes for layer in shape.layers)
        self._input_bytes = shape.input_bytes + _other_bytes(model, shape, self._blocks.between(0, count))
        self._output_bytes = shape.output_bytes
        self._inside_bytes = shape.output_bytes if shape.output_inside else 0
        self._copied_bytes = shape.input_bytes if shape.tied else 0
        self._repacks_output = repacks_output(shape, isa)
        self._repacked_bytes = repacked_bytes(shape, isa)
        self._hybrid = any(layer.state_elements for layer in shape.layers)

    def on(self, spans: tuple[Span, ...], placement: Placement) -> Iterator[MemoryPart]:
        """The part of each device; in memory there is a second copy of what is repacked, if no device is there."""
        kept_bytes = 0.0
        for span in spans[1:]:
            stays = self._experts.between(span.start, min(span.end, placement.cpu_experts))
            kept_bytes += stays
            size_bytes = self._blocks.between(span.start, span.end) - stays
            if span.output:
                size_bytes += self._output_bytes + self._copied_bytes
            yield MemoryPart.exact(span.device, "weights", round(size_bytes))
        yield self._in_memory(spans[0], kept_bytes, placement)

    def _in_memory(self, span: Span, kept_bytes: float, placement: Placement) -> MemoryPart:
        """What is read there, and what is held besides: the system may drop pages that nobody reads any more."""
        size_bytes = round(self._input_bytes + kept_bytes + self._blocks.between(0, span.end))
        size_bytes += self._output_bytes if span.output else 0
        if not placement.mapped and not placement.devices and self._repacks_output:
            size_bytes += self._copied_bytes
        held_bytes = size_bytes
        if placement.mapped and not placement.devices:
            held_bytes += self._repacked_bytes
        elif placement.mapped:
            held_bytes = max(held_bytes, self._mapped_bytes(span, placement))
        return MemoryPart(
            device=HOST, kind="weights", size_bytes=held_bytes, low_bytes=size_bytes, high_bytes=held_bytes
        )

    def _mapped_bytes(self, span: Span, placement: Placement) -> int:
        """The file from the embedding to the last tensor that stays: what lies between them stays mapped with them.

        Of a hybrid model small tensors of each block stay.
        """
        last = self._count if self._hybrid else max(span.end, min(placement.cpu_experts, self._count))
        return round(self._input_bytes + self._blocks.between(0, last) + (self._inside_bytes if last else 0))


def _block_bytes(model: ModelCard, shape: Shape) -> Iterator[float]:
    """As the files say, or equal parts of what is not the embedding."""
    if any(layer.weight_bytes for layer in shape.layers):
        return (layer.weight_bytes for layer in shape.layers)
    rest = max(0, model.size_bytes - shape.input_bytes - shape.output_bytes)
    return (rest / len(shape.layers) for _ in shape.layers)


def _other_bytes(model: ModelCard, shape: Shape, in_blocks: float) -> int:
    """Tensors of no layer, which stay in memory: what the files hold beside the layers, without their header."""
    known = in_blocks + shape.input_bytes + shape.output_bytes + shape.vocabulary_size * HEADER_BYTES
    return max(0, round(model.size_bytes - known))
