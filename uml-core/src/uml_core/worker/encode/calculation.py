"""One call of the model: from texts as it reads them to a row of numbers for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from uml_core.worker.encode.model import EncoderModel, Outputs
from uml_core.worker.encode.pooling import pool
from uml_core.worker.encode.reader import Reading
from uml_core.worker.encode.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Numbers: TypeAlias = NDArray[np.int64]


class Calculation:
    """Has *model* compute batches; hidden states and vectors are treated as *recipe* says."""

    def __init__(self, model: EncoderModel, recipe: Recipe) -> None:
        self._model = model
        self._recipe = recipe

    def rows(self, readings: Sequence[Reading]) -> Floats:
        """Compute a batch.

        :returns: a vector for each text, or its logits where the model gives those
        """
        shape = (len(readings), max(map(len, readings)))
        tokens: Numbers = np.full(shape, self._model.padding, np.int64)
        mask: Numbers = np.zeros(shape, np.int64)
        types: Numbers = np.zeros(shape, np.int64)
        for at, reading in enumerate(readings):
            filled = slice(0, len(reading))
            tokens[at, filled], types[at, filled] = reading.encoded.tokens, reading.encoded.types
            mask[at, filled] = 1
        outputs = self._model.forward(tokens, mask, types)
        return self._vectors(outputs, mask, readings) if outputs.logits is None else outputs.logits

    def _vectors(self, outputs: Outputs, mask: Numbers, readings: Sequence[Reading]) -> Floats:
        vectors = outputs.pooled
        if outputs.hidden is not None:
            for at, reading in enumerate(readings):
                mask[at, : reading.skipped] = 0
            vectors = pool(outputs.hidden, mask, self._recipe.ways)
        if vectors is None:
            raise TypeError("the model gave neither hidden states nor vectors nor logits")
        for layer in self._recipe.layers:
            vectors = layer(vectors)
        return vectors
