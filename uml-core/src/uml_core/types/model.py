"""What a model is before anything is loaded: its format, its files and its parsed header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from attrs import field, frozen

FileKind = Literal["model", "projector", "adapter", "other"]


@frozen(kw_only=True)
class ModelSource:
    """What a model ref resolved to: the files and what their headers say, nothing of the weights.

    ``metadata`` holds the header's scalars and strings under the format's own keys
    (``general.architecture``, ``llama.context_length`` …); long arrays are left in the file.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    size_bytes: int
    kind: FileKind = "model"
    name: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    quantization: str | None = None
    license: str | None = None
    metadata: Mapping[str, object] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class ModelFormat:
    """A file format that some package can read the header of.

    ``claims(path, head)`` sees the path and the first 4 KiB and answers at once; ``read(path)`` is bounded in
    time and memory and raises :class:`~uml_core.errors.InvalidModelFileError` for a file that breaks the format.
    """

    name: str
    claims: Callable[[Path, bytes], bool]
    read: Callable[[Path], ModelSource]
