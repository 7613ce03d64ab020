"""What a GGUF file says of the model in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.gguf.header import MAGIC, read_header
from uml_core.inspection.gguf.shards import first_shard, read_shards
from uml_core.inspection.gguf.tables import FILE_TYPES, GUESSED
from uml_core.inspection.gguf.tensors import Tensor
from uml_core.types import FileKind, ModelSource

NAME = "gguf"


def claims(path: Path, head: bytes) -> bool:  # noqa: ARG001 - a format may look at the path, GGUF needs not to
    """Whether the file starts as GGUF files do; what it is called doesn't matter."""
    return head.startswith(MAGIC)


def read(path: Path) -> ModelSource:
    """Read the headers of the file, and of the other parts if it is one of several.

    :raises InvalidModelFileError: a file is missing, can't be read, breaks the format, or was cut off
    """
    path = first_shard(path)
    first = read_header(path)
    shards = {path: first} | read_shards(path, first)
    tensors = [tensor for header in shards.values() for tensor in header.tensors]
    facts = _Facts(path, first.metadata)
    architecture = facts.text("general.architecture")
    return ModelSource(
        path=path,
        format=NAME,
        files=tuple(shards),
        size_bytes=sum(header.size_bytes for header in shards.values()),
        kind=_kind(architecture, facts.text("general.type"), tensors),
        name=facts.text("general.name"),
        architecture=architecture,
        parameters=sum(tensor.elements for tensor in tensors),
        context_length=facts.count(f"{architecture}.context_length") or None,
        quantization=_quantization(facts.count("general.file_type"), tensors),
        license=facts.text("general.license"),
        metadata=first.metadata,
    )


class _Facts:
    """Well-known keys of one file, with the types that they must have."""

    def __init__(self, path: Path, metadata: Mapping[str, object]) -> None:
        self._path = path
        self._metadata = metadata

    def text(self, key: str) -> str | None:
        value = self._metadata.get(key)
        if value is None or isinstance(value, str):
            return shown(value) if value else None
        raise self._wrong(key, "a text")

    def count(self, key: str) -> int | None:
        value = self._metadata.get(key)
        if value is None or (type(value) is int and value >= 0):
            return value
        raise self._wrong(key, "a count")

    def _wrong(self, key: str, what: str) -> InvalidModelFileError:
        return InvalidModelFileError(
            f"'{shown(self._path.name)}' is not a usable GGUF file: its '{shown(key)}' is not {what}; download it again"
        )


def _kind(architecture: str | None, type: str | None, tensors: Iterable[Tensor]) -> FileKind:
    if architecture == "clip" or type in ("mmproj", "projector"):
        return "projector"
    if type == "adapter" or architecture == "controlvector":
        return "adapter"
    if type == "imatrix" or architecture is None or not tensors:  # without weights it is a vocabulary
        return "other"
    return "model"


def _quantization(file_type: int | None, tensors: Iterable[Tensor]) -> str | None:
    if file_type is not None and file_type & ~GUESSED in FILE_TYPES:
        return FILE_TYPES[file_type & ~GUESSED]
    weights: Counter[str] = Counter()
    for tensor in tensors:
        weights[tensor.type] += tensor.elements
    return weights.most_common(1)[0][0] if weights else None
