"""The tensors of a model's files, each read when it is asked for; the bytes that have been read are the progress."""

from __future__ import annotations

import pickle
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from uml_core.errors import InvalidModelFileError
from uml_transformers.uploads import Uploads

PICKLES = (".bin", ".pt", ".pth")


class Source(Protocol):
    """Something that gives a tensor once it is indexed with an ellipsis, as transformers does it when it wants one."""

    def __getitem__(self, index: Any) -> torch.Tensor: ...


class Progress:
    """Counts bytes; called from the threads in which transformers loads."""

    def __init__(self, total_bytes: int, told: Callable[[float], None]) -> None:
        self._total_bytes, self._told = total_bytes, told
        self._read_bytes = 0
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        with self._lock:
            self._read_bytes += size_bytes
            self._told(min(self._read_bytes / max(1, self._total_bytes), 0.99))  # it's whole when it can answer


class Counted:
    """A tensor that tells when it is read."""

    def __init__(self, source: Source, size_bytes: int, progress: Progress) -> None:
        self._source, self._size_bytes, self._progress = source, size_bytes, progress

    def __getitem__(self, index: Any) -> torch.Tensor:
        tensor = self._source[index]
        self._progress.add(self._size_bytes)
        return tensor


def read_weights(
    files: Iterable[Path], progress: Callable[[float], None], device: torch.device
) -> tuple[dict[str, Counted], torch.dtype | None]:
    """Every tensor of *files* by its name, and the number type of the first one that has fractions.

    :param device: where they all go, if it is only one
    :raises InvalidModelFileError: a file is damaged, or a pickle holds more than tensors
    """
    files = [file for file in files if file.suffix in (".safetensors", *PICKLES)]
    counter = Progress(sum(file.stat().st_size for file in files), progress)
    found: dict[str, Counted] = {}
    dtype: torch.dtype | None = None
    for file in files:
        entries = _pickled(file) if file.suffix in PICKLES else _safe(file, device)
        for name, source, size_bytes, kind in entries:
            found[name] = Counted(source, size_bytes, counter)
            dtype = dtype or (kind if kind.is_floating_point and kind.itemsize > 1 else None)
    return found, dtype


Entry = tuple[str, Source, int, torch.dtype]


def _safe(file: Path, device: torch.device) -> Iterator[Entry]:
    try:
        opened: Any = safe_open(file, framework="pt")  # first, for it finds fault with a header that is damaged
    except SafetensorError as error:
        raise InvalidModelFileError(f"'{file.name}' is no whole safetensors file ({error}); fetch it again") from error
    uploads = Uploads.of(file, device) if device.type == "cuda" else None
    for name in opened.keys():  # noqa: SIM118 - it is no mapping
        source = opened.get_slice(name)
        kind = _kind(file, name, source.get_dtype())
        shape = tuple(source.get_shape())
        size_bytes = torch.Size(shape).numel() * kind.itemsize
        yield name, source if uploads is None else uploads.tensor(name, shape, kind), size_bytes, kind


def _kind(file: Path, name: str, said: str) -> torch.dtype:
    kind = KINDS.get(said)
    if kind is None:
        raise InvalidModelFileError(
            f"'{file.name}' keeps '{name[:100]}' as '{said[:20]}', a number type that this torch does not know; "
            "update torch, or choose another variant of the model"
        )
    return kind


def _pickled(file: Path) -> Iterator[Entry]:
    try:
        held = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        why = str(error).partition("\n")[0]
        if "global" in str(error).lower() or "weights_only" in str(error):
            raise InvalidModelFileError(
                f"'{file.name}' is a pickle with code in it, which is never run; get the model as safetensors, and "
                f"don't trust this file ({_told(error)})"
            ) from error
        raise InvalidModelFileError(f"'{file.name}' is no whole PyTorch file ({why}); fetch it again") from error
    state = held.get("state_dict", held) if isinstance(held, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise InvalidModelFileError(f"'{file.name}' holds no plain table of tensors; get the model as safetensors")
    for name, tensor in state.items():
        yield name, tensor, tensor.nbytes, tensor.dtype


def _told(error: Exception) -> str:
    """What torch says is in there, in short."""
    line = next((line for line in str(error).splitlines() if "GLOBAL" in line or "global" in line), str(error))
    return " ".join(line.split())[:200]


KINDS: Mapping[str, torch.dtype] = {
    name: kind
    for name, of in {
        "F64": "float64",
        "F32": "float32",
        "F16": "float16",
        "BF16": "bfloat16",
        "I64": "int64",
        "I32": "int32",
        "I16": "int16",
        "I8": "int8",
        "U8": "uint8",
        "U16": "uint16",
        "U32": "uint32",
        "U64": "uint64",
        "BOOL": "bool",
        "F8_E4M3": "float8_e4m3fn",
        "F8_E5M2": "float8_e5m2",
        "F8_E8M0": "float8_e8m0fnu",
        "C64": "complex64",
    }.items()
    if (kind := getattr(torch, of, None)) is not None
}
"""The names of number types in safetensors files."""
