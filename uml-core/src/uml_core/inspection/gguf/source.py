"""What a GGUF file says of the model in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from uml_core.inspection.gguf.companions import projectors_of
from uml_core.inspection.gguf.facts import Facts
from uml_core.inspection.gguf.header import MAGIC
from uml_core.inspection.gguf.nature import has_chat_template, has_tokenizer, kind_of, media_of, tasks_of
from uml_core.inspection.gguf.shape import shape_of
from uml_core.inspection.gguf.shards import Shards, read_shards
from uml_core.inspection.gguf.tables import FILE_TYPES, GUESSED
from uml_core.inspection.gguf.tensors import Tensor
from uml_core.types import FileKind, ModelSource

NAME = "gguf"


def claims(path: Path, head: bytes) -> bool:  # noqa: ARG001 - a format may look at the path, GGUF needs not to
    """Whether the file starts as GGUF files do; what it is called doesn't matter."""
    return head.startswith(MAGIC)


def read(path: Path) -> ModelSource:
    """Read the headers of the file, of the other parts if it is one of several, and of projectors beside it.

    Parts that are not there are named in ``missing``; what only all parts together can tell is then None.

    :raises InvalidModelFileError: a file can't be read, breaks the format, or was cut off
    """
    shards = read_shards(path)
    path, first = next(iter(shards.headers.items()))
    tensors = [tensor for header in shards.headers.values() for tensor in header.tensors]
    facts = Facts(path, first.metadata)
    kind = "model" if _is_part(shards, facts) else kind_of(facts, has_tensors=bool(tensors))
    shape = shape_of(facts, tensors, whole=not shards.missing) if kind == "model" else None
    companions = projectors_of(path, shape.embedding_length) if shape else {}
    media = tuple(
        medium for medium in ("image", "audio") if medium in {m for each in companions.values() for m in each}
    )
    return ModelSource(
        path=path,
        format=NAME,
        files=tuple(shards.headers),
        size_bytes=sum(header.size_bytes for header in shards.headers.values()),
        kind=kind,
        name=facts.text("general.name"),
        architecture=facts.architecture,
        parameters=None if shards.missing else sum(tensor.elements for tensor in tensors),
        context_length=facts.own_count("context_length") or None,
        quantization=_quantization(facts.count("general.file_type"), tensors),
        bits_per_weight=None if shards.missing else _bits_per_weight(tensors),
        license=facts.text("general.license"),
        shape=shape,
        modalities=_modalities(facts, kind, media),
        tasks=tasks_of(facts, media) if kind == "model" else (),
        has_tokenizer=has_tokenizer(facts),
        has_chat_template=has_chat_template(facts),
        companions=tuple(companions),
        missing=shards.missing,
        metadata=first.metadata,
    )


def _is_part(shards: Shards, facts: Facts) -> bool:
    """Whether all that is known is that it belongs to a model: only the first part has the metadata."""
    return bool(shards.missing) and facts.architecture is None


def _modalities(facts: Facts, kind: FileKind, media: tuple[str, ...]) -> tuple[str, ...]:
    if kind == "projector":
        return media_of(facts)
    return ("text", *media) if kind == "model" else ()


def _bits_per_weight(tensors: Iterable[Tensor]) -> float | None:
    elements = sum(tensor.elements for tensor in tensors)
    return sum(tensor.size_bytes for tensor in tensors) * 8 / elements if elements else None


def _quantization(file_type: int | None, tensors: Iterable[Tensor]) -> str | None:
    if file_type is not None and file_type & ~GUESSED in FILE_TYPES:
        return FILE_TYPES[file_type & ~GUESSED]
    weights: Counter[str] = Counter()
    for tensor in tensors:
        weights[tensor.type] += tensor.elements
    return weights.most_common(1)[0][0] if weights else None
