"""What the blocks of a model keep of the past."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core.planning.estimate.number_types import number_bytes
from uml_core.planning.estimate.prefix import Prefix
from uml_core.types import Layer, Placement

CELLS = 256
"""llama.cpp makes room for tokens in steps of so many."""
STATE_BYTES = 4
ATTENDING = ("full", "sliding", "latent")


class Cache:
    """The cache of *layers* in llama.cpp: one of its own for each sequence, and a small one for each window."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        layers = tuple(layers)
        windows = {_window(layer) for layer in layers if layer.kind in ATTENDING}
        self._keys = {window: Prefix(_keys(layer, window) for layer in layers) for window in windows}
        self._values = {window: Prefix(_values(layer, window) for layer in layers) for window in windows}
        self._states = Prefix(layer.state_elements * STATE_BYTES for layer in layers)

    def between(self, start: int, end: int, *, context_length: int, parallel: int, placement: Placement) -> int:
        """Bytes for the blocks from *start* to before *end*."""
        key, value = number_bytes(placement.cache_type_k), number_bytes(placement.cache_type_v)
        a_sequence = self._states.between(start, end)
        for window, keys in self._keys.items():
            tokens = cells(context_length, None if placement.full_window else window, placement.batch)
            a_sequence += tokens * (key * keys.between(start, end) + value * self._values[window].between(start, end))
        return round(a_sequence * parallel)


def cells(context_length: int, window: int | None, batch: int) -> int:
    """The tokens that there is room for: a window needs room for those that are computed at once beside it."""
    tokens = padded(context_length)
    return min(tokens, padded(window + min(batch, tokens))) if window else tokens


def padded(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def _window(layer: Layer) -> int | None:
    return layer.window if layer.kind == "sliding" else None


def _keys(layer: Layer, window: int | None) -> int:
    return layer.kv_heads * layer.key_length if layer.kind in ATTENDING and _window(layer) == window else 0


def _values(layer: Layer, window: int | None) -> int:
    return layer.kv_heads * layer.value_length if layer.kind in ATTENDING and _window(layer) == window else 0
