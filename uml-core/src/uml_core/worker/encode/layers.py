"""What comes after the pooling in a model of sentence-transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from attrs import field, frozen

from uml_core.errors import InvalidModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

Layer: TypeAlias = "Callable[[Floats], Floats]"
"""Takes and gives one row for each text."""

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "Identity": lambda values: values,
    "Tanh": np.tanh,
    "ReLU": lambda values: np.maximum(values, 0),
    "Sigmoid": lambda values: 1 / (1 + np.exp(-values)),
}
"""torch's modules by the last part of their name."""


def unit(vectors: Floats) -> Floats:
    """Give each vector the length 1; one of zeros stays so."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32, copy=False)
    return scaled


def activation(name: str, file: Path) -> Callable[[Any], Any]:
    """The function that torch's *name* stands for.

    :raises InvalidModelFileError: it is none that is known here
    """
    known = ACTIVATIONS.get(name.rpartition(".")[2])
    if known is None:
        raise InvalidModelFileError(f"'{file}' asks for the activation '{name[:64]}', which the embedding layer lacks")
    return known


@frozen
class Dense:
    """A linear layer of a folder such as ``2_Dense``."""

    weight: Floats = field(repr=False)
    bias: Floats | None = field(repr=False)
    activation: Callable[[Floats], Floats]

    def __call__(self, vectors: Floats) -> Floats:
        result = vectors @ self.weight.T
        return self.activation(result if self.bias is None else result + self.bias)

    @classmethod
    def read(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Read the weights.

        :raises InvalidModelFileError: they are not there as safetensors, or are no linear layer
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file  # few models have such a layer

        file = folder / "model.safetensors"
        try:
            tensors = load_file(file)
            weight, bias = tensors["linear.weight"], tensors.get("linear.bias")
        except (OSError, SafetensorError, KeyError) as error:
            raise InvalidModelFileError(
                f"the layer in '{folder}' needs its weights in a 'model.safetensors' that can be read ({error!r}); "
                "fetch the model again, or save it as safetensors"
            ) from None
        named = str(config.get("activation_function") or "Tanh")
        return cls(weight, bias, activation(named, folder / "config.json"))
