"""What llama.cpp keeps of a model's words, in memory wherever the model lies."""

from __future__ import annotations

from attrs import frozen

from uml_core.types import ModelCard, Shape

TABLE_BYTES = 3_000_000
"""What the tables take that every vocabulary has."""
PLAIN_HEADER_BYTES = 26.5
"""A word takes less in the header if there is no list of merges beside the words: text, score and type."""


@frozen
class Word:
    """Bytes of a word: its text, its type, and the way to find it; the same once more in a server, and in each slot."""

    own: int
    served: int
    slot: int


MERGED = Word(own=300, served=130, slot=20)
PLAIN = Word(own=156, served=85, slot=40)
"""Measured with Gemma's 262,144 words, which have scores, and with vocabularies that have merges of as many words."""


class Vocabulary:
    """The words of *model*; *serves*: the engine is llama.cpp's own server."""

    def __init__(self, model: ModelCard, shape: Shape, *, serves: bool) -> None:
        self._count = shape.vocabulary_size
        self._serves = serves
        self._word = PLAIN if 0 < _header_bytes(model, shape) < PLAIN_HEADER_BYTES * self._count else MERGED

    def kept_bytes(self, parallel: int) -> int:
        """What is kept of it, for so many slots."""
        if not self._serves:
            return TABLE_BYTES + self._count * self._word.own
        a_word = self._word.own + self._word.served + (parallel - 1) * self._word.slot
        return 2 * TABLE_BYTES + self._count * a_word


def _header_bytes(model: ModelCard, shape: Shape) -> int:
    """What of the files is no tensor that belongs somewhere."""
    layers = sum(layer.weight_bytes for layer in shape.layers)
    return model.size_bytes - layers - shape.input_bytes - shape.output_bytes if layers else 0
