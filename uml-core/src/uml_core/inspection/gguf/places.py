"""How many bytes of a GGUF file belong to each layer, to the embedding and to the output."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import evolve, frozen

from uml_core.inspection.gguf.tensors import Tensor
from uml_core.types import Layer, Shape

EMBEDDING = "token_embd.weight"
OUTPUT = "output.weight"
OUTPUT_STARTS = ("output", "cls", "dense_2", "dense_3", "dec.output", "enc.output")
"""With the norm before it and what stands in its place: a classifier, the projections of an embedder."""

EXPERTS = re.compile(r"ffn_(?:gate_up|gate|up|down)(?:_(?:ch)?exps|\.\d+)\.")
"""The tensors of routed experts, all in one or, in old files, one each; shared ones (``_shexp``) work on each token."""


@frozen(kw_only=True)
class Places:
    """Bytes of each layer as they stand in the files, those of experts among them, and of what is before and after."""

    layers: tuple[tuple[int, int], ...]
    input_bytes: int = 0
    output_bytes: int = 0
    has_output: bool = False


def places_of(tensors: Iterable[Tensor], layers: int) -> Places:
    """Add up *tensors* by the layer that their name says they belong to."""
    weights, experts = [0] * layers, [0] * layers
    input_bytes = output_bytes = 0
    has_output = False
    for name, *_, size_bytes in tensors:
        layer = _layer(name)
        if layer is None:
            has_output = has_output or name == OUTPUT
            input_bytes += size_bytes if name == EMBEDDING else 0
            output_bytes += size_bytes if name.startswith(OUTPUT_STARTS) else 0
        elif layer < layers:
            weights[layer] += size_bytes
            experts[layer] += size_bytes if EXPERTS.search(name) else 0
    both = tuple(zip(weights, experts, strict=True))
    return Places(layers=both, input_bytes=input_bytes, output_bytes=output_bytes, has_output=has_output)


def placed(shape: Shape, places: Places, *, tied: bool) -> Shape:
    """*shape* with the bytes of *places*; equal layers stay one object.

    Layers that are gone through again have no weights of their own.

    :param tied: a model without an output matrix uses its embedding for it
    """
    made: dict[tuple[Layer, int, int], Layer] = {}
    again = ((0, 0),) * (len(shape.layers) - len(places.layers))
    layers = []
    for layer, (weights, experts) in zip(shape.layers, places.layers + again, strict=True):
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
    )


def _layer(name: str) -> int | None:
    """The number in ``blk.7.attn_q.weight``; models that read and write have ``enc.blk.7`` and ``dec.blk.7``."""
    start, _, rest = name.partition("blk.")
    number = rest.partition(".")[0]
    return int(number) if start in ("", "enc.", "dec.") and number.isdecimal() and len(number) < 6 else None
