"""What a model is before anything is loaded: its format, its files and its parsed header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import field, frozen

from uml_core.types.card import ModelCard


@frozen(kw_only=True)
class ModelSource(ModelCard):
    """What a model ref resolved to: its card, and what the header says in the format's own words.

    ``metadata`` holds the header's scalars and strings under the format's own keys
    (``general.architecture``, ``llama.context_length`` …); long arrays are left in the file.
    """

    metadata: Mapping[str, object] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class ModelFormat:
    """A file format that some package can read the header of.

    ``claims(path, head)`` sees the path of a file and its first 4 KiB, or of a folder and no bytes, and answers at
    once; ``read(path)`` is bounded in time and memory and raises :class:`~uml_core.errors.InvalidModelFileError` for a
    file that breaks the format. What makes a search worth a look: ``suffixes`` of single files (``.gguf``), and
    ``marks``, names of files whose folder may be a model as a whole (``config.json``).
    """

    name: str
    claims: Callable[[Path, bytes], bool]
    read: Callable[[Path], ModelSource]
    suffixes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
