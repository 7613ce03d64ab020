"""What changes with the content of files: so that a header is read once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

Signature = tuple[tuple[int, int, int], ...]
"""Inode, size in bytes and time of change in ns of each file."""

BESIDE = ("config.json", "genai_config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja")
"""What a reader looks at in a model's folder besides the weights; edited in place, the folder's own time stays."""


def signature(path: Path, files: Iterable[Path]) -> Signature:
    """The signature of the model at *path* that is made of *files*; empty, and like no other, if one of them is gone.

    Of a model that is a folder, the folder itself counts too: a file that comes or goes changes it.
    """
    try:
        return tuple(_state(one.stat()) for one in _signed(path, files))
    except (OSError, ValueError):
        return ()


def _signed(path: Path, files: Iterable[Path]) -> Iterable[Path]:
    beside = [there for name in BESIDE if (there := path / name).exists()] if path.is_dir() else []
    return dict.fromkeys((path, *beside, *files))


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns
