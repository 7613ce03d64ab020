"""The folder that a store may not be led out of."""

from __future__ import annotations

import os
from pathlib import Path

DEEP = 200  # parts of a path; what has more is looked at the long way


class Root:
    """Tells whether paths stay below *folder* when all links are followed; for one search, since links change.

    Where there is no link or a short one, only the parts below the folder are looked at, and each folder once: to
    resolve every path from ``/`` on would be most of the time that a search takes.
    """

    def __init__(self, folder: Path) -> None:
        self._path = str(folder)
        self._plain: dict[str, bool] = {self._path: True}

    def has(self, path: str) -> bool:
        """Whether *path* is below the folder, or is the folder."""
        if self._is_plain(path) or self.follow(path) is not None:
            return True
        real, root = os.path.realpath(path), os.path.realpath(self._path)
        return real == root or real.startswith(root.rstrip(os.sep) + os.sep)

    def follow(self, link: str) -> str | None:
        """Where *link* leads to, if it leads straight to something in the folder; None if that takes a longer look."""
        if not self._is_plain(os.path.dirname(link)):  # noqa: PTH120 - no Path for each of many thousand files
            return None
        try:
            text = os.readlink(link)  # noqa: PTH115
        except OSError:
            return None
        if os.name == "nt" or f"{os.sep}.." in text.lstrip("./"):  # dots after a folder, which may be a link itself
            return None
        target = os.path.normpath(os.path.join(os.path.dirname(link), text))  # noqa: PTH118, PTH120
        folder = os.path.dirname(target)  # noqa: PTH120
        return target if self._is_plain(folder) and not os.path.islink(target) else None  # noqa: PTH114

    def _is_plain(self, path: str) -> bool:
        """Whether *path* is in the folder by its own text, and no part of it there is a link."""
        if path not in self._plain:
            folder, _, name = path.rpartition(os.sep)
            below = len(folder) >= len(self._path) and name not in ("", ".", "..") and path.count(os.sep) < DEEP
            self._plain[path] = below and self._is_plain(folder) and not os.path.islink(path)  # noqa: PTH114
        return self._plain[path]
