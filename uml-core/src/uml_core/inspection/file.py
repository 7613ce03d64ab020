"""Open a file that nobody vouches for, and say in a sentence why that can't be done."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from uml_core.errors import InvalidModelFileError

SHOWN_CHARACTERS = 80


def shown(text: str) -> str:
    """*text* as it may appear in a sentence: a file's strings can hold escape codes and reversed text."""
    start = text[: SHOWN_CHARACTERS + 1]
    safe = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in start)
    return safe if len(safe) <= SHOWN_CHARACTERS else safe[: SHOWN_CHARACTERS - 1] + "…"


def is_folder(path: Path) -> bool:
    """Whether *path* is a folder, or a link to one.

    :raises InvalidModelFileError: there is nothing, or it can't be looked at
    """
    try:
        return stat.S_ISDIR(_mode(path))
    except OSError as error:
        raise InvalidModelFileError(_sentence(shown(path.name), error)) from None


@contextmanager
def open_model_file(path: Path) -> Iterator[tuple[FileIO, int]]:
    """Open *path* for reading, unbuffered, with its size in bytes.

    Only regular files, or links to one, are opened: a named pipe or a device would hang or never end.

    :raises InvalidModelFileError: it is missing, a folder, no regular file, empty, or can't be read
    """
    name = shown(path.name)
    try:
        _check_kind(name, _mode(path))
        # The path may have been replaced since: don't wait for a pipe's other end, and look again.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            _check_kind(name, found.st_mode)
            if not found.st_size:
                raise InvalidModelFileError(f"'{name}' is empty; download it again")
            yield file, found.st_size
    except OSError as error:
        raise InvalidModelFileError(_sentence(name, error)) from None


def read_start(path: Path, *, most_bytes: int) -> bytes:
    """Read *path* up to *most_bytes*.

    :raises InvalidModelFileError: it can't be read
    """
    with open_model_file(path) as (file, size_bytes):
        return file.read(min(size_bytes, most_bytes))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except ValueError:  # a NUL in the path
        raise InvalidModelFileError(f"'{shown(path.name)}' is not a name that a file can have") from None


def _check_kind(name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise InvalidModelFileError(f"'{name}' is a folder, not a model file; name the file in it")
    if not stat.S_ISREG(mode):
        raise InvalidModelFileError(f"'{name}' is a pipe or a device, not a model file; copy the model into a file")


def _sentence(name: str, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"there is no file '{name}' there; look at the path, or see `uml list`"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"'{name}' can't be read by this user; give read permission on it and on its folders"
    if error.errno == errno.ELOOP:
        return f"'{name}' is a link that leads back to itself; name the file itself"
    return f"'{name}' can't be read: {error.strerror or error}; look at the disk that it is on"
