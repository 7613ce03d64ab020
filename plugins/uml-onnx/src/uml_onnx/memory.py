"""Where keys and values lie between two steps: in the machine's memory, or on the device that computes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from uml_onnx.providers import Provider


class Memory(Protocol):
    """Makes tensors and hands them to a run."""

    def new(self, shape: tuple[int, ...], type: str) -> Any:
        """A tensor of any content."""
        ...

    def holding(self, array: NDArray[Any]) -> Any:
        """A tensor with the content of *array*."""
        ...

    def array(self, tensor: Any) -> NDArray[Any]:
        """Its content, as far as possible without a copy."""
        ...

    def bind_input(self, binding: Any, name: str, tensor: Any) -> None: ...

    def bind_output(self, binding: Any, name: str, tensor: Any) -> None: ...


class HostMemory:
    """Arrays of numpy, which onnxruntime reads and writes in their place."""

    def new(self, shape: tuple[int, ...], type: str) -> NDArray[Any]:
        return np.empty(shape, type)

    def holding(self, array: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(array)

    def array(self, tensor: NDArray[Any]) -> NDArray[Any]:
        return tensor

    def bind_input(self, binding: Any, name: str, tensor: NDArray[Any]) -> None:
        binding.bind_input(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)

    def bind_output(self, binding: Any, name: str, tensor: NDArray[Any]) -> None:
        binding.bind_output(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)


class DeviceMemory:
    """Tensors of onnxruntime's on a device; only a change of who is computed together copies them to and fro."""

    def __init__(self, provider: Provider) -> None:
        self._place = (provider.memory, provider.index)

    def new(self, shape: tuple[int, ...], type: str) -> Any:
        return ort.OrtValue.ortvalue_from_shape_and_type(list(shape), np.dtype(type).type, *self._place)

    def holding(self, array: NDArray[Any]) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), *self._place)

    def array(self, tensor: Any) -> NDArray[Any]:
        found: NDArray[Any] = tensor.numpy()
        return found

    def bind_input(self, binding: Any, name: str, tensor: Any) -> None:
        binding.bind_ortvalue_input(name, tensor)

    def bind_output(self, binding: Any, name: str, tensor: Any) -> None:
        binding.bind_ortvalue_output(name, tensor)


def memory_of(provider: Provider) -> Memory:
    """The memory that *provider* computes in."""
    return HostMemory() if provider.memory == "cpu" else DeviceMemory(provider)
