"""Where the weights of a model in ggml's format lie."""

from __future__ import annotations

from collections.abc import Iterator

from uml_core.planning.estimate.layout import Span
from uml_core.planning.estimate.prefix import Prefix
from uml_core.types import HOST, ModelCard, Placement, Shape


class Weights:
    """The weights of *model*: the embedding stays in memory, the output layer goes where the last blocks go."""

    def __init__(self, model: ModelCard, shape: Shape) -> None:
        self._blocks = Prefix(_block_bytes(model, shape))
        self._experts = Prefix(layer.expert_bytes for layer in shape.layers)
        self._count = len(shape.layers)
        self._input_bytes = shape.input_bytes
        self._output_bytes = shape.output_bytes
        # What is not of the text half is loaded with it, and so are the tensors of no layer.
        known = self._blocks.between(0, self._count) + shape.input_bytes + shape.output_bytes
        self._rest_bytes = max(0, model.size_bytes - known) if shape.input_bytes else 0
        self._copied_bytes = shape.input_bytes if shape.tied else 0

    def on(self, spans: tuple[Span, ...], placement: Placement) -> Iterator[tuple[str, int]]:
        """Each device with its bytes."""
        kept = self._experts.between
        kept_bytes = 0.0
        for span in spans:
            if span.device == HOST:
                continue
            stays = kept(span.start, min(span.end, placement.cpu_experts))
            kept_bytes += stays
            size_bytes = self._blocks.between(span.start, span.end) - stays
            if span.output:
                size_bytes += self._output_bytes + self._copied_bytes
            yield span.device, round(size_bytes)
        yield HOST, round(self._in_memory(spans[0]) + kept_bytes)

    def _in_memory(self, span: Span) -> float:
        size_bytes = self._input_bytes + self._rest_bytes + self._blocks.between(0, span.end)
        return size_bytes + (self._output_bytes if span.output else 0)


def _block_bytes(model: ModelCard, shape: Shape) -> Iterator[float]:
    """As the files say, or equal parts of what is not the embedding."""
    if any(layer.weight_bytes for layer in shape.layers):
        return (layer.weight_bytes for layer in shape.layers)
    rest = max(0, model.size_bytes - shape.input_bytes - shape.output_bytes)
    return (rest / len(shape.layers) for _ in shape.layers)
