"""One folder of a search: its entries, and the files among them that can be models."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from uml_core.registry.links import DeadLink, Links, Target
from uml_core.types import Unreadable

PARTIAL_STARTS = ("incomplete-", "downloading_")
ARIA2 = ".aria2"
"""The suffix of what aria2 keeps beside a file for as long as it isn't whole."""

TRAINING = ("optimizer.", "scheduler.", "scaler.", "rng_state", "training_args.")
"""What a trainer leaves beside a model, in files with the suffixes of models."""

PIPELINE = "model_index.json"
"""The mark of a diffusers pipeline, whose folders look like models and are parts of it."""

MODULES = "modules.json"
"""The mark of a sentence-transformers model, whose further layers lie in folders such as ``2_Dense``."""


class Here:
    """The folder ``below`` the one that is searched; ``entries`` are those with names that can be typed and shown."""

    def __init__(self, place: str, below: str, *, entries: Mapping[str, os.DirEntry[str]], links: Links) -> None:
        self.place = place
        self.below = below
        self.entries = entries
        self.problems: list[Unreadable] = []
        self._links = links

    @cached_property
    def path(self) -> Path:
        return Path(self.place)

    def folders(self, suffixes: tuple[str, ...]) -> Iterator[str]:
        """The names of the folders to search next; what ends with one of *suffixes* is no folder of models."""
        if PIPELINE in self.entries:
            return
        layers = MODULES in self.entries
        for name, entry in self.entries.items():
            if entry.is_symlink():
                if not name.lower().endswith(suffixes) and (problem := self._links.folder(entry)):
                    self.problems.append(problem)
            elif is_folder(entry) and not is_partial(name) and not (layers and name.partition("_")[0].isdigit()):
                yield name

    def files(self, suffixes: tuple[str, ...], *, whole: bool = False) -> dict[str, Target]:
        """The files with one of *suffixes*, by name, without those that are no models or not yet whole.

        :param whole: they belong to one model, whose reader says which of its files are missing
        """
        found = {}
        for name, entry in self.entries.items():
            if not name.lower().endswith(suffixes) or self._is_other(name):
                continue
            target = self._links.file(entry) if entry.is_symlink() else _file(entry)
            if isinstance(target, Target):
                found[name] = target
            elif target is not None and not (whole and isinstance(target, DeadLink)):
                self.problems.append(target)
        return found

    def _is_other(self, name: str) -> bool:
        return is_partial(name) or name.startswith(TRAINING) or name + ARIA2 in self.entries


def is_partial(name: str) -> bool:
    return name.startswith(PARTIAL_STARTS)


def is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _file(entry: os.DirEntry[str]) -> Target | None:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:  # gone since
        return None
    return Target(size_bytes=found.st_size) if stat.S_ISREG(found.st_mode) else None
