"""From a model's numbers about a text to scores and probabilities, as its own configuration says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from attrs import frozen

from uml_core.worker.encode.files import model_folder, read_json
from uml_core.worker.encode.layers import ACTIVATIONS, activation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

_sigmoid = ACTIVATIONS["Sigmoid"]


@frozen(kw_only=True)
class Scores:
    """``shape`` is what the files ask a ranking model's score to be sent through; without a word it stays as it is,
    as llama.cpp gives it too. ``independent``: each class is a question of its own, and several may be true.
    """

    shape: Callable[[Any], Any] = ACTIVATIONS["Identity"]
    independent: bool = False

    @classmethod
    def of(cls, model: Path) -> Self:
        """Read the ``config.json`` of *model*, which is a folder or a file.

        :raises InvalidModelFileError: it asks for what can't be done
        """
        file = model_folder(model) / "config.json"
        config = read_json(file, dict) or {}
        own = config.get("sentence_transformers")
        named = own.get("activation_fn") if isinstance(own, dict) else None
        named = named or config.get("sbert_ce_default_activation_function") or "Identity"
        independent = config.get("problem_type") == "multi_label_classification"
        return cls(shape=activation(str(named), file), independent=independent)

    def relevance(self, row: Floats) -> float:
        """The score of a pair of texts."""
        return float(self.shape(row[:1])[0])

    def probabilities(self, row: Floats) -> list[float]:
        """One for each class."""
        exact = row.astype(np.float64)
        if self.independent or len(row) == 1:
            return [float(share) for share in _sigmoid(exact)]
        shares = np.exp(exact - exact.max())
        return [float(share) for share in shares / shares.sum()]
