"""A model that a search has found in a folder, before it has a name."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Found:
    """A model at ``path``, in the folder ``below`` of the one that is searched (``""`` for that itself).

    ``stem`` is what its file is called without suffix and part, None for a folder that is a model as a whole.
    """

    below: str
    path: Path
    size_bytes: int
    stem: str | None = None
    digest: str | None = None
    companions: tuple[Path, ...] = ()

    @property
    def place(self) -> str:
        """Its path in the folder that is searched, without suffix and part."""
        return "/".join(filter(None, (self.below, self.stem)))

    @property
    def spellings(self) -> tuple[str, ...]:
        """What it can be called by its path, the shortest first; only the last is surely its own."""
        if self.stem is None:
            return (self.below,)
        start = f"{self.below}/" if self.below else ""
        return (self.place, start + self.path.stem, start + self.path.name)
