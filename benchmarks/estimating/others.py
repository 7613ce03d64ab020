"""Loads of models that are no GGUF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from estimating.case import Case

CONTEXTS = (512, 2048)


def torch_cases(folders: Iterable[Path]) -> Iterator[Case]:
    """Folders as transformers loads them, in the types that they are stored in."""
    for folder in folders:
        yield from (_case(folder, "torch", tokens) for tokens in CONTEXTS)


def onnx_cases(paths: Iterable[Path]) -> Iterator[Case]:
    """Graphs as onnxruntime loads them; those that write text with a full context."""
    for path in paths:
        yield from (_case(path, "onnx", tokens) for tokens in CONTEXTS)


def _case(path: Path, engine: str, tokens: int) -> Case:
    name = path.stem if path.is_file() else path.name
    return Case(name=name, engine=engine, model=path.resolve(), context_length=tokens, full=True)
