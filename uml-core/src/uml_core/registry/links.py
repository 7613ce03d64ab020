"""Links in a folder of models: where they lead, and whether that may be taken."""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
from pathlib import Path

from attrs import frozen

from uml_core.inspection.file import shown
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

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._real: dict[str, str] = {}

    def itself(self) -> Unreadable | None:
        """Say that the folder is not in its own store, but somewhere that a link leads to."""
        path, root = self._folder.path, self._folder.root
        if root is None:
            return None
        below = path.relative_to(root).parts if path.is_relative_to(root) else ("..",)
        steps = itertools.accumulate(below, os.path.join, initial=str(root))
        if ".." not in below and not any(map(os.path.islink, itertools.islice(steps, 1, None))):
            return None
        return None if _is_in(os.path.realpath(path), self._of(root)) else _out(path)

    def file(self, entry: os.DirEntry[str]) -> Target | Unreadable | None:
        """What *entry* leads to; None for what is no file."""
        try:
            found = entry.stat()
            place = self._target(entry.path) if self._folder.root or self._folder.blobs else None
        except OSError as error:
            return _dead(entry, error)
        if not stat.S_ISREG(found.st_mode):
            return None
        if place is None:
            return Target(size_bytes=found.st_size)
        if self._folder.root and not _is_in(place[0], self._of(self._folder.root)):
            return _out(Path(entry.path))
        return Target(size_bytes=found.st_size, digest=self._digest(*place))

    def folder(self, entry: os.DirEntry[str]) -> Unreadable | None:
        """Say that *entry* leads to a folder elsewhere; None if it does not, or to one that is searched anyway."""
        try:
            elsewhere = entry.is_dir() and not _is_in(os.path.realpath(entry.path), self._of(self._folder.path))
        except OSError:
            return None
        why = f"'{shown(entry.name)}' is a link to a folder, and such links are not followed; {ADD}"
        return Unreadable(path=Path(entry.path), reason=why) if elsewhere else None

    def _target(self, path: str) -> tuple[str, str]:
        """The real folder and the name of a link's target; folders are remembered, since thousands lead into one."""
        if os.name == "nt":  # a link's text is no usual path there
            return os.path.split(os.path.realpath(path))
        folder = self._of(os.path.dirname(path))  # noqa: PTH120 - no Path for each of many thousand files
        parent, name = os.path.split(os.path.normpath(os.path.join(folder, os.readlink(path))))  # noqa: PTH115, PTH118
        target = os.path.join(self._of(parent), name)  # noqa: PTH118
        return os.path.split(os.path.realpath(target) if os.path.islink(target) else target)  # noqa: PTH114

    def _digest(self, folder: str, name: str) -> str | None:
        is_blob = self._folder.blobs and folder == self._of(self._folder.blobs) and SHA256.fullmatch(name)
        return name if is_blob else None

    def _of(self, folder: str | Path) -> str:
        path = str(folder)
        if path not in self._real:
            self._real[path] = os.path.realpath(path)
        return self._real[path]


def _is_in(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _out(path: Path) -> Unreadable:
    return Unreadable(path=path, reason=f"'{shown(path.name)}' is a link out of its store; {ADD}")


def _dead(entry: os.DirEntry[str], error: OSError) -> Unreadable:
    name = shown(entry.name)
    if error.errno == errno.ELOOP:
        why = f"'{name}' is a link that leads back to itself; remove it"
    elif error.errno in (errno.EACCES, errno.EPERM):
        why = f"'{name}' is a link to a place that this user can't read; give read permission there"
    else:
        why = f"'{name}' is a link to a file that is gone; download it again, or remove the link"
    return DeadLink(path=Path(entry.path), reason=why)
