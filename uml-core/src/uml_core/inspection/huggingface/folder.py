"""The files of one model's folder, none of which is taken from elsewhere."""

from __future__ import annotations

import os
import re
import stat
from itertools import islice
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown

ENTRIES = 10_000
BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""The name of a file in a store that names files by their hash, as the Hugging Face cache does (``blobs/``)."""


class Folder:
    """The names in the folder *path*, the first ``ENTRIES`` of them.

    :raises InvalidModelFileError: it can't be read
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with os.scandir(path) as entries:
                self.names = frozenset(entry.name for entry in islice(entries, ENTRIES))
        except OSError as error:
            raise InvalidModelFileError(
                f"the folder '{shown(path.name)}' can't be read: {error.strerror}; give read permission on it"
            ) from None

    def named(self, pattern: re.Pattern[str]) -> list[str]:
        """The names that *pattern* matches as a whole, in order."""
        return sorted(name for name in self.names if pattern.fullmatch(name))

    def file(self, name: str) -> Path | None:
        """The regular file *name*; None if there is none, or only a link that leads nowhere.

        :raises InvalidModelFileError: it is something else, or a link that leads out of the folder
        """
        if name not in self.names:
            return None
        path = self.path / name
        try:
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                found = path.stat()
                self._check_link(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidModelFileError(
                f"'{shown(name)}' can't be read: {error.strerror}; look at its folder"
            ) from None
        if not stat.S_ISREG(found.st_mode):
            raise InvalidModelFileError(f"'{shown(name)}' is no regular file; copy the model's file to its place")
        return path

    def optional(self, *names: str) -> Path | None:
        """The first of *names* that is a file of this folder."""
        for name in names:
            try:
                if path := self.file(name):
                    return path
            except InvalidModelFileError:
                continue
        return None

    def _check_link(self, path: Path) -> None:
        """A link may lead to a file of this folder, or of a store that names files by their hash."""
        target = Path(os.path.realpath(path))
        if target.parent.name == "blobs" and BLOB.fullmatch(target.name):
            return
        if not target.is_relative_to(os.path.realpath(self.path)):
            raise InvalidModelFileError(
                f"'{shown(path.name)}' is a link that leads out of the model's folder; put the file itself there"
            )


def plain(name: object) -> bool:
    """Whether *name* can only be a file of the same folder, on any system."""
    return isinstance(name, str) and 0 < len(name) <= 255 and not set(name) & set("/\\:\0") and name not in (".", "..")
