"""How many bytes of a GGUF file belong to each layer, to the embedding and to the output."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen

from uml_core.inspection.gguf.tensors import Tensor
from uml_core.inspection.places import Places

EMBEDDING = "token_embd.weight"
OUTPUT = "output.weight"
OUTPUT_STARTS = ("output", "cls", "dense_2", "dense_3", "dec.output", "enc.output")
"""With the norm before it and what stands in its place: a classifier, the projections of an embedder."""

LAYER = re.compile(r"(?:enc\.|dec\.)?blk\.(?P<number>[0-9]{1,4})\.")
EXPERTS = re.compile(r"\.ffn_(?:gate_up|gate|up|down)(?:_(?:ch)?exps|\.\d+)\.")
"""The tensors of routed experts, all in one or, in old files, one each; shared ones (``_shexp``) work on each token."""


@frozen
class _Sums:
    """Bytes by the number of the layer, by the type of matrices, and by name of what is in no layer.

    ``before`` are the two of the latter that matter, as far as they come before all layers.
    """

    weights: Counter[int] = field(factory=Counter)
    experts: Counter[int] = field(factory=Counter)
    types: Counter[str] = field(factory=Counter)
    around: dict[str, int] = field(factory=dict)
    before: list[str] = field(factory=list)

    def add(self, number: int, tensor: Tensor) -> None:
        name, size_bytes = tensor.name, tensor.size_bytes
        expert = EXPERTS.search(name) is not None
        if len(tensor.dimensions) == 2 + expert and name.endswith(".weight") and (number >= 0 or name == OUTPUT):
            self.types[tensor.type] += size_bytes
        if number < 0:
            self.around[name] = size_bytes
            if name in (EMBEDDING, OUTPUT) and not self.weights:
                self.before.append(name)
            return
        self.weights[number] += size_bytes
        if expert:
            self.experts[number] += size_bytes


def places_of(tensors: Iterable[Tensor], layers: int) -> Places:
    """Add up *tensors* by the layer that their name says they belong to."""
    sums = _Sums()
    start, number = "?", -1
    for tensor in tensors:
        if not tensor.name.startswith(start):  # mostly it is of the same layer as the one before
            start, number = _layer(tensor.name)
        sums.add(number, tensor)
    return Places(
        layers=tuple((sums.weights[number], sums.experts[number]) for number in range(layers)),
        input_bytes=sums.around.get(EMBEDDING, 0),
        output_bytes=sum(size_bytes for name, size_bytes in sums.around.items() if name.startswith(OUTPUT_STARTS)),
        has_output=OUTPUT in sums.around,
        output_inside=sums.before == [EMBEDDING, OUTPUT],
        types=sums.types,
    )


def _layer(name: str) -> tuple[str, int]:
    """``blk.7.`` and 7 of ``blk.7.attn_q.weight``, -1 of a tensor of no layer.

    Models that read and write have ``enc.blk.7`` and ``dec.blk.7``.
    """
    found = LAYER.match(name)
    return (found[0], int(found["number"])) if found else ("?", -1)
