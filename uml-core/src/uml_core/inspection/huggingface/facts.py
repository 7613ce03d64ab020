"""What a configuration says, key by key, whatever its author put there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown

MOST = 2**40
LIST_ENTRIES = 4096


class Facts:
    """The keys of one JSON object of the file *name*. What has another type than it should is as if it weren't there:
    authors write null, "auto" and lists where others write numbers.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.values = values

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def has(self, *keys: str) -> bool:
        return any(key in self for key in keys)

    def text(self, *keys: str) -> str | None:
        """The first of *keys* that is a text, as it may appear in a sentence."""
        return next((shown(value) for value in self._of(keys) if isinstance(value, str) and value), None)

    def count(self, *keys: str) -> int | None:
        """The first of *keys* that is a whole number and not negative.

        :raises InvalidModelFileError: it is larger than anything a model can have
        """
        for key in keys:
            value = self.values.get(key)
            if type(value) is int and value >= 0:
                if value > MOST:
                    raise InvalidModelFileError(
                        f"'{shown(self.name)}' says of '{key}' a number that no model has; download it again"
                    )
                return value
        return None

    def number(self, *keys: str) -> float | None:
        """The first of *keys* that is a number, and finite."""
        for value in self._of(keys):
            if type(value) in (int, float) and -MOST < value < MOST:
                return float(value)
        return None

    def flag(self, key: str) -> bool | None:
        value = self.values.get(key)
        return value if isinstance(value, bool) else None

    def part(self, *keys: str) -> Facts | None:
        """The first of *keys* that is an object itself."""
        return next((Facts(self.name, value) for value in self._of(keys) if isinstance(value, dict) and value), None)

    def entries(self, *keys: str) -> list[Any] | None:
        """The first of *keys* that is a list, with at most ``LIST_ENTRIES`` of it."""
        return next((value[:LIST_ENTRIES] for value in self._of(keys) if isinstance(value, list) and value), None)

    def _of(self, keys: tuple[str, ...]) -> list[Any]:
        return [self.values[key] for key in keys if key in self.values]
