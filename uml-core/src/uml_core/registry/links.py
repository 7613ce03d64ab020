"""Links in a folder of models: where they lead, and whether that may be taken."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from attrs import frozen

from uml_core.registry.root import Root
from uml_core.registry.unreadable import called
from uml_core.types import ModelFolder, Unreadable

SHA256 = re.compile(r"[0-9a-f]{64}")
ADD = "add the folder that it leads to to `folders` of [registry] in uml.toml"


@frozen(kw_only=True)
class Target:
    """A file: its size and, if its name says it, its SHA-256."""

    size_bytes: int
    digest: str | None = None


@frozen(kw_only=True)
class DeadLink(Unreadable):
    """A link to a file that is gone, or to none."""


class Links:
    """Follows the links of one folder; a link to a folder is never entered."""

    def __init__(self, folder: ModelFolder, store: str) -> None:
        self._folder = folder
        self._store = store
        self._root = Root(folder.root) if folder.root else None
        self._blobs = str(folder.blobs) if folder.blobs else None

    def itself(self) -> Unreadable | None:
        """Say that the folder is not in its own store, but somewhere that a link leads to."""
        path = self._folder.path
        return self._out(path) if self._root and not self._root.has(str(path)) else None

    def file(self, entry: os.DirEntry[str]) -> Target | Unreadable | None:
        """What *entry* leads to; None for what is no file."""
        try:
            found = entry.stat()
        except OSError as error:
            return self._dead(Path(entry.path), error)
        if not stat.S_ISREG(found.st_mode):
            return None
        if self._root is None:
            return Target(size_bytes=found.st_size)
        target = self._root.follow(entry.path)
        if target is None and not self._root.has(entry.path):
            return self._out(Path(entry.path))
        return Target(size_bytes=found.st_size, digest=self._digest(target or ""))

    def folder(self, entry: os.DirEntry[str]) -> Unreadable | None:
        """Say that *entry* leads to a folder elsewhere; None if it does not, or to one that is searched anyway."""
        if self._blobs:  # the hub links files only, and there are many that are none of a model
            return None
        try:
            elsewhere = entry.is_dir() and not Root(self._folder.path).has(entry.path)
        except OSError:
            return None
        path, why = Path(entry.path), "is a link to a folder, and such links are not followed"
        return Unreadable(path=path, reason=f"{called(path, self._store)} {why}; {ADD}") if elsewhere else None

    def _digest(self, target: str) -> str | None:
        folder, _, name = target.rpartition(os.sep)
        return name if folder == self._blobs and SHA256.fullmatch(name) else None

    def _out(self, path: Path) -> Unreadable:
        return Unreadable(path=path, reason=f"{called(path, self._store)} is a link out of it; {ADD}")

    def _dead(self, path: Path, error: OSError) -> Unreadable:
        if error.errno == errno.ELOOP:
            why = "is a link that leads back to itself; remove it"
        elif error.errno in (errno.EACCES, errno.EPERM):
            why = "is a link to a place that this user can't read; give read permission there"
        else:
            why = "is a link to a file that is gone; download it again, or remove the link"
        return DeadLink(path=path, reason=f"{called(path, self._store)} {why}")
