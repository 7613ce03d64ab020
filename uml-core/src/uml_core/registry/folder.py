"""The models folder: what lies in it is on this machine."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from uml_core.inspection.gguf import first_shard
from uml_core.types import StoredModel

SUFFIX = ".gguf"
PARTIAL = "incomplete-"


@frozen
class FolderStore:
    """Every ``*.gguf`` below *folder*, by its path in it: ``org/name`` is the file ``org/name.gguf``.

    Links to files count, links to folders are not followed. Hidden and partly downloaded files are left out; a model
    of several parts is its first part with the size of all.
    """

    folder: Path
    name: str = "folder"

    def list(self) -> Iterable[StoredModel]:
        """Read the folder; one that isn't there is empty."""
        sizes: Counter[Path] = Counter()
        found = set()
        for path, size_bytes in _files(self.folder):
            sizes[first_shard(path)] += size_bytes
            found.add(path)
        return [self._model(path, sizes[path]) for path in sorted(sizes) if path in found]

    def _model(self, path: Path, size_bytes: int) -> StoredModel:
        id = path.relative_to(self.folder).as_posix()[: -len(SUFFIX)]
        return StoredModel(id=id, path=path, size_bytes=size_bytes, store=self.name)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _may_be_named(name)]
        for name in names:
            if name.lower().endswith(SUFFIX) and _may_be_named(name) and not name.startswith(PARTIAL):
                path = Path(parent, name)
                try:
                    found = path.stat()
                except OSError:  # a dead link, or gone since
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield path, found.st_size


def _may_be_named(name: str) -> bool:
    return not name.startswith(".") and name.isprintable()  # a control character could not be typed or shown
