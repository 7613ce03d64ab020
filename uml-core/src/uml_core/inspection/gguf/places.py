"""How many bytes of a GGUF file belong to each layer, to the embedding and to the output."""

from __future__ import annotations

import re
from collections.abc import Iterable

from uml_core.inspection.gguf.tensors import Tensor
from uml_core.inspection.places import Places

EMBEDDING = "token_embd.weight"
OUTPUT = "output.weight"
OUTPUT_STARTS = ("output", "cls", "dense_2", "dense_3", "dec.output", "enc.output")
"""With the norm before it and what stands in its place: a classifier, the projections of an embedder."""

EXPERTS = re.compile(r"\.ffn_(?:gate_up|gate|up|down)(?:_(?:ch)?exps|\.\d+)\.")
"""The tensors of routed experts, all in one or, in old files, one each; shared ones (``_shexp``) work on each token."""


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
            if EXPERTS.search(name):
                experts[layer] += size_bytes
    both = tuple(zip(weights, experts, strict=True))
    return Places(layers=both, input_bytes=input_bytes, output_bytes=output_bytes, has_output=has_output)


def _layer(name: str) -> int | None:
    """The number in ``blk.7.attn_q.weight``; models that read and write have ``enc.blk.7`` and ``dec.blk.7``."""
    start, _, rest = name.partition("blk.")
    number = rest.partition(".")[0]
    return int(number) if start in ("", "enc.", "dec.") and number.isdecimal() and len(number) < 6 else None
