"""Well-known keys of one file, with the types that they must have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.gguf.values import LeftInFile


class Facts:
    """What the metadata of *path* says; ``own`` keys are those that start with the architecture's name.

    Every question raises :class:`~uml_core.errors.InvalidModelFileError` if the value has another type than it must
    have: an engine would refuse the file too.
    """

    def __init__(self, path: Path, metadata: Mapping[str, object]) -> None:
        self._path = path
        self.metadata = metadata
        self.architecture = self.text("general.architecture")

    def own(self, key: str) -> object:
        return self.metadata.get(self._own(key))

    def text(self, key: str) -> str | None:
        value = self.metadata.get(key)
        if value is None or isinstance(value, str):
            return shown(value) if value else None
        raise self.wrong(key, "a text")

    def flag(self, key: str) -> bool | None:
        value = self.metadata.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(key, "true or false")

    def count(self, key: str) -> int | None:
        value = self.metadata.get(key)
        if value is None or (type(value) is int and value >= 0):
            return value
        raise self.wrong(key, "a count")

    def own_flag(self, key: str) -> bool | None:
        return self.flag(self._own(key))

    def own_count(self, key: str) -> int | None:
        return self.count(self._own(key))

    def own_counts(self, key: str, layers: int) -> tuple[int, ...] | None:
        """A count for each of *layers*: the file says one for all, or an array of them."""
        value = self.own(key)
        if isinstance(value, tuple):
            counts = tuple(element for element in value if isinstance(element, int) and element >= 0)
            if len(counts) == len(value) == layers:
                return counts
        elif not isinstance(value, LeftInFile):
            count = self.own_count(key)
            return None if count is None else (count,) * layers
        raise self.wrong(self._own(key), f"a count for each of {layers} layers")

    def length(self, key: str) -> int:
        """How many elements an array has."""
        value = self.metadata.get(key)
        if isinstance(value, LeftInFile):
            return value.count
        return len(value) if isinstance(value, tuple) else 0

    def wrong(self, key: str, what: str) -> InvalidModelFileError:
        return InvalidModelFileError(
            f"'{shown(self._path.name)}' is not a usable GGUF file: its '{shown(key)}' is not {what}; download it again"
        )

    def _own(self, key: str) -> str:
        return f"{self.architecture}.{key}"
