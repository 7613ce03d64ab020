"""The dimensions of the model in a GGUF file."""

from __future__ import annotations

from collections.abc import Sequence

from uml_core.inspection.gguf.architectures import EMBEDDERS
from uml_core.inspection.gguf.facts import Facts
from uml_core.inspection.gguf.layers import layers_of
from uml_core.inspection.gguf.places import places_of
from uml_core.inspection.gguf.tensors import Tensor
from uml_core.inspection.places import placed
from uml_core.types import Shape

LAYERS = 4096  # eight times what llama.cpp allows


def shape_of(facts: Facts, tensors: Sequence[Tensor], *, whole: bool = True) -> Shape | None:
    """The shape that the header tells, or None if it doesn't say how many layers there are and how wide.

    :param whole: *tensors* are all of the model, and what isn't among them it doesn't have
    :raises InvalidModelFileError: a dimension is of another type, or not there for each layer
    """
    layers, embedding = facts.own_count("block_count"), facts.own_count("embedding_length")
    if not layers or embedding is None:
        return None
    if layers > LAYERS:
        raise facts.wrong(f"{facts.architecture}.block_count", f"a count of layers, of which {LAYERS} are allowed")
    heads = facts.own_counts("attention.head_count", layers) or (0,) * layers
    wide = facts.own_counts("feed_forward_length", layers) or (0,) * layers
    expert_wide = facts.own_counts("expert_feed_forward_length", layers) or (0,)
    experts = facts.own_count("expert_count") or 0
    shape = Shape(
        embedding_length=embedding,
        feed_forward_length=(max(expert_wide) if experts else 0) or max(wide),
        heads=max(heads),
        vocabulary_size=_vocabulary_size(facts, tensors),
        experts=experts,
        experts_used=max(facts.own_counts("expert_used_count", layers) or (0,)),
        layers=layers_of(facts, embedding=embedding, heads=heads, feed_forward=wide),
    )
    return placed(shape, places_of(tensors, layers), tied=whole and facts.architecture not in EMBEDDERS)


def _vocabulary_size(facts: Facts, tensors: Sequence[Tensor]) -> int:
    if tokens := facts.length("tokenizer.ggml.tokens") or facts.own_count("vocab_size"):
        return tokens
    embeddings = (tensor.dimensions for tensor in tensors if tensor.name == "token_embd.weight")
    return max((dimensions[1] for dimensions in embeddings if len(dimensions) > 1), default=0)
