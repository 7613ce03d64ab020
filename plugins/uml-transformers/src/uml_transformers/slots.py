"""The attention of a loaded model, taken over: each layer's keys and values are kept in slots of our own.

transformers lets a function of anybody's compute attention by a name of its own, and makes no mask for such a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from uml_transformers.attention import Kind, SlotCache
from uml_transformers.packed import PackedCache, agrees, can_pack
from uml_transformers.step import Cancelled, Step

NAME = "uml_slots"
ROUNDING, ROUGHLY = {torch.float32: 0.002, torch.float16: 0.03}, 0.1
"""How far apart they may be, as a part of their length."""
STANDARD = (DynamicLayer, DynamicSlidingWindowLayer)


class Unsupported(Exception):
    """A layer wants something of its attention that the slots don't know."""


class Slots:
    """The caches of all layers of *model*, made as each layer is first computed; *packed* is known from then on."""

    def __init__(self, model: Any, *, slots: int, context: int) -> None:
        self.slots, self.context = slots, context
        self.packed = False
        self._config = model.config.get_text_config(decoder=True)
        self._layers: dict[int, SlotCache | PackedCache] = {}
        self._kinds: dict[int, Kind] = {}
        self._step: Step | None = None
        self._name = f"{NAME}_{id(self)}"
        AttentionInterface.register(self._name, self._attend)

    @contextmanager
    def during(self, step: Step) -> Iterator[None]:
        """Within it, the model's attention is that of *step*."""
        config = self._config
        before, config._attn_implementation = config._attn_implementation, self._name  # noqa: SLF001 - its only name
        self._step = step
        try:
            yield
        finally:
            config._attn_implementation = before  # noqa: SLF001
            self._step = None

    def copy(self, source: int, target: int, length: int) -> None:
        for layer in self._layers.values():
            layer.copy(source, target, length)

    @property
    def size_bytes(self) -> int:
        """What the caches take when they are full."""
        return sum(part.nbytes for layer in self._layers.values() for part in (layer.keys, layer.values))

    def _attend(
        self,
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        **said: Any,
    ) -> tuple[torch.Tensor, None]:
        step = self._step
        if step is None or query.shape[0] != 1 or attention_mask is not None:
            raise Unsupported("its attention is not that of one sequence of tokens")
        if step.cancelled is not None and step.cancelled():
            raise Cancelled
        cache = self._layers.get(module.layer_idx)
        if cache is None:
            cache = self._make(module, query, key, value, said)
        return cache.attend(query, key, value, step, self._kinds[module.layer_idx]), None

    def _make(
        self, module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, said: dict[str, Any]
    ) -> SlotCache | PackedCache:
        kind = kind_of(said)
        if not self._layers:
            self.packed = _can_pack(query, key, value, kind)
        if self.packed and not can_pack(key, value, kind):
            raise Unsupported("its layers differ in what their attention needs")
        made = (PackedCache if self.packed else SlotCache)(key, value, slots=self.slots, context=self.context)
        self._layers[module.layer_idx], self._kinds[module.layer_idx] = made, kind
        return made


def differ(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype) -> float:
    """How much further apart two computations of the same logits are than is usual for *dtype*; up to 1 is fine."""
    apart = float((one - other).norm() / other.norm())
    return apart / ROUNDING.get(dtype, ROUGHLY)


def is_standard(model: Any) -> bool:
    """Whether all that *model* keeps of the past are keys and values of all its layers."""
    text = model.config.get_text_config(decoder=True)
    usual = not model._is_stateful and not model.config.is_encoder_decoder  # noqa: SLF001 - transformers has no other word
    if not (usual and model._supports_attention_backend) or getattr(text, "num_kv_shared_layers", None):  # noqa: SLF001
        return False
    return all(type(layer) in STANDARD for layer in DynamicCache(config=model.config).layers)


def kind_of(said: dict[str, Any]) -> Kind:
    """What a layer says of its attention.

    :raises Unsupported: it's something that the slots don't know
    """
    if said.get("position_bias") is not None or said.get("is_causal") is False:
        raise Unsupported("its attention is biased by position, or looks ahead")
    return Kind(
        scale=said.get("scaling"),
        window=said.get("sliding_window") or None,
        softcap=said.get("softcap"),
        sinks=said.get("s_aux"),
    )


def _can_pack(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, kind: Kind) -> bool:
    """Whether flash attention can be used, and does here what it should: it is no public part of every torch."""
    if not can_pack(key, value, kind):
        return False
    try:
        return agrees(query, key, value, kind)
    except (RuntimeError, TypeError, AttributeError):
        return False
