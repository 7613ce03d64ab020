"""Which part of a model its bytes belong to: a layer, what is before all layers, or what is after them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, repeat

from attrs import evolve, field, frozen

from uml_core.types import Layer, Shape


@frozen(kw_only=True)
class Places:
    """Bytes of each layer as they stand in the files, those of experts among them, and of embedding and output.

    ``has_output``: there is an output matrix, or another head in its place; ``output_inside``: it lies between the
    embedding and the layers. ``types`` are those of matrices.
    """

    layers: tuple[tuple[int, int], ...]
    input_bytes: int = 0
    output_bytes: int = 0
    has_output: bool = False
    output_inside: bool = False
    types: Mapping[str, int] = field(factory=dict)


def placed(shape: Shape, places: Places, *, tied: bool) -> Shape:
    """*shape* with the bytes of *places*; equal layers stay one object.

    Layers that are gone through again have no weights of their own.

    :param tied: a model without an output matrix uses its embedding for it
    """
    made: dict[tuple[Layer, int, int], Layer] = {}
    layers = []
    for layer, (weights, experts) in zip(shape.layers, chain(places.layers, repeat((0, 0))), strict=False):
        key = (layer, weights, experts)
        if key not in made:
            made[key] = evolve(layer, weight_bytes=weights, expert_bytes=experts)
        layers.append(made[key])
    return evolve(
        shape,
        layers=tuple(layers),
        input_bytes=places.input_bytes,
        output_bytes=places.output_bytes,
        tied=tied and bool(places.input_bytes) and not places.has_output,
        output_inside=places.output_inside,
        type_bytes=tuple(sorted(places.types.items())),
    )
