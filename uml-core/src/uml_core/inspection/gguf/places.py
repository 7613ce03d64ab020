"""How many bytes of a GGUF file belong to each layer, to the embedding and to the output."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from uml_core.inspection.gguf.tensors import Tensor
from uml_core.inspection.places import Places

EMBEDDING = "token_embd.weight"
OUTPUT = "output.weight"
OUTPUT_STARTS = ("output", "cls", "dense_2", "dense_3", "dec.output", "enc.output")
"""With the norm before it and what stands in its place: a classifier, the projections of an embedder."""

LAYER = re.compile(r"(?:enc\.|dec\.)?blk\.(?P<number>[0-9]{1,4})\.")

EXPERTS = re.compile(r"\.ffn_(?:gate_up|gate|up|down)(?:_(?:ch)?exps|\.\d+)\.")
"""The tensors of routed experts, all in one or, in old files, one each; shared ones (``_shexp``) work on each token."""


def places_of(tensors: Iterable[Tensor], layers: int) -> Places:
    """Add up *tensors* by the layer that their name says they belong to."""
    weights: Counter[int] = Counter()
    experts: Counter[int] = Counter()
    around: dict[str, int] = {}
    start, number = "?", -1
    for tensor in tensors:
        name, size_bytes = tensor.name, tensor.size_bytes
        if not name.startswith(start):  # mostly it is of the same layer as the one before
            start, number = _layer(name)
        if number < 0:
            around[name] = size_bytes
            continue
        weights[number] += size_bytes
        if EXPERTS.search(name):
            experts[number] += size_bytes
    return Places(
        layers=tuple((weights[number], experts[number]) for number in range(layers)),
        input_bytes=around.get(EMBEDDING, 0),
        output_bytes=sum(size_bytes for name, size_bytes in around.items() if name.startswith(OUTPUT_STARTS)),
        has_output=OUTPUT in around,
    )


def _layer(name: str) -> tuple[str, int]:
    """``blk.7.`` and 7 of ``blk.7.attn_q.weight``, -1 of a tensor of no layer.

    Models that read and write have ``enc.blk.7`` and ``dec.blk.7``.
    """
    found = LAYER.match(name)
    return (found[0], int(found["number"])) if found else ("?", -1)
