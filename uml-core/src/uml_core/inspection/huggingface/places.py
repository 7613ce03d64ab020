"""How many bytes of a model in Hugging Face's layout belong to each layer, by the names of its tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen

from uml_core.inspection.huggingface.parameters import BUFFERS
from uml_core.inspection.places import Places

LAYER = re.compile(r"(?P<stack>(?:.*?[./])??(?:layers|layer|h|blocks|block)\.)(?P<number>[0-9]{1,4})[./]")
"""``model.layers.7.mlp.up_proj.weight``: all layers of one stack have the same start."""

OTHER_STACKS = re.compile(
    r"vision|visual|vit\.|image|audio|speech|siglip|connector|perceiver|resampler|mtp|medusa|eagle"
)
"""What belongs to media, or guesses ahead: not the layers that the configuration counts."""

EXPERTS = re.compile(r"[./](?:experts[./]|block_sparse_moe\.(?:input|output)_linear)")
"""Routed experts; shared ones, which work on each token, are ``shared_experts``."""

EMBEDDINGS = frozenset(
    (
        *("embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in", "embeddings", "shared", "emb"),
        *("token_embedding", "tokens_embed", "word_embedding"),
    )
)
HEADS = frozenset(("lm_head", "embed_out", "output", "output_layer", "proj_out", "head", "score", "classifier"))
NORMS = frozenset(("norm", "ln_f", "norm_f", "final_layer_norm", "final_layernorm", "final_norm", "ln_out"))
"""Names of the module that a tensor belongs to, with whatever is in it when it is quantized."""


@frozen
class _Stack:
    """Bytes by the number of the layer."""

    weights: Counter[int] = field(factory=Counter)
    experts: Counter[int] = field(factory=Counter)

    def add(self, number: int, size_bytes: int, *, expert: bool) -> None:
        self.weights[number] += size_bytes
        if expert:
            self.experts[number] += size_bytes


def places_of(tensors: Iterable[tuple[str, int]], layers: int) -> Places:
    """Add up *tensors*, names and bytes, by the layer that their name says they belong to."""
    stacks: dict[str, _Stack] = {}
    modules: Counter[str] = Counter()
    last = ""
    for name, size_bytes in tensors:
        if found := _found(name, last):
            last, number, rest = found
            stack = stacks.get(last) or stacks.setdefault(last, _Stack())
            stack.add(number, size_bytes, expert=EXPERTS.search(rest) is not None)
        elif not OTHER_STACKS.search(name):
            modules[_module(name)] += size_bytes
    counted = _counted(stacks, layers)
    return Places(
        layers=tuple((counted.weights[number], counted.experts[number]) for number in range(layers)),
        input_bytes=sum(modules[name] for name in EMBEDDINGS),
        output_bytes=sum(modules[name] for name in HEADS | NORMS),
        has_output=any(name in modules for name in HEADS),
    )


def _found(name: str, last: str) -> tuple[str, int, str] | None:
    """The stack of a tensor, the number of the layer in it, and the rest of the name.

    :param last: the stack of the tensor before, which is mostly the same and is found without a search
    """
    if last and name.startswith(last):
        number, dot, _ = name[len(last) :].partition(".")
        if dot and number.isascii() and number.isdecimal() and len(number) <= 4:
            return last, int(number), name[len(last) + len(number) :]
    if found := LAYER.match(name):
        return found["stack"], int(found["number"]), name[found.end("number") :]
    return None


def _module(name: str) -> str:
    """``lm_head`` of ``lm_head.weight``, and of ``lm_head.MatMul.weight`` in a graph; nothing of what is no weight."""
    start, _, last = name.rpartition(".")
    return "" if last in BUFFERS else start.removesuffix(".MatMul").rpartition(".")[2]


def _counted(stacks: dict[str, _Stack], layers: int) -> _Stack:
    """The layers that the configuration counts: of a model that reads and writes those that write."""
    named = {name: stack for name, stack in stacks.items() if not OTHER_STACKS.search(name)} or stacks
    writing = {name: stack for name, stack in named.items() if "decoder" in name} or named
    return max(writing.values(), key=lambda stack: _within(stack, layers), default=_Stack())


def _within(stack: _Stack, layers: int) -> tuple[int, int]:
    numbers = [number for number in stack.weights if number < layers]
    return len(numbers), sum(stack.weights[number] for number in numbers)
