"""What tells the files of two models apart without reading them whole."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator

from uml_core.registry.belongings import Belonging

END_BYTES = 8192
SPOTS = 64
SPOT_BYTES = 1024
"""Read between the ends: of a fine-tuned model, both ends and the size are often the original's."""
READ_WHOLE_BYTES = 2**18
"""Smaller files are read whole: configurations, templates, most graphs."""


def sampled(files: Iterable[Belonging]) -> str:
    """A hash of the names, the sizes and samples of the files of a model; empty if they can't be read."""
    digest = hashlib.sha256()
    try:
        for file in files:
            digest.update(b"%d:%s" % (len(name := os.fsencode(file.name)), name))
            _add(digest, file.path)
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def _add(digest: hashlib._Hash, path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no file")
        digest.update(b"%d:" % found.st_size)
        for start, count in _spots(found.st_size):
            digest.update(os.pread(descriptor, count, start))
    finally:
        os.close(descriptor)


def _spots(size_bytes: int) -> Iterator[tuple[int, int]]:
    """Where to read and how much: both ends, and between them here and there; a small file whole."""
    if size_bytes <= READ_WHOLE_BYTES:
        yield 0, size_bytes
        return
    yield 0, END_BYTES
    yield max(size_bytes - END_BYTES, 0), END_BYTES
    for number in range(1, SPOTS):
        yield size_bytes * number // SPOTS, SPOT_BYTES
