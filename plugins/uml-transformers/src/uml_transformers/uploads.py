"""From a safetensors file onto a CUDA device: read into pinned memory by many threads, and copied while more is read.

A mapped file, as transformers reads it, comes page by page through one copy of the processor's before it can be sent.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch

from uml_core.errors import InvalidModelFileError

PIECE_BYTES = 8 << 20
"""What is read at once; each thread has two of them, one that is read into while the other is sent."""


class Uploads:
    """The tensors of one file."""

    def __init__(self, file: Path, places: Mapping[str, tuple[int, int]], device: torch.device) -> None:
        self._file, self._places, self._device = file, places, device
        self._descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    @classmethod
    def of(cls, file: Path, device: torch.device) -> Self | None:
        """Read where each tensor lies; None where files can't be read at a place (Windows).

        :raises InvalidModelFileError: the file's header is damaged
        """
        return cls(file, _places(file), device) if hasattr(os, "preadv") else None

    def __del__(self) -> None:
        os.close(self._descriptor)

    def tensor(self, name: str, shape: tuple[int, ...], kind: torch.dtype) -> Upload:
        """One of them.

        :raises InvalidModelFileError: there are not as many bytes as it has numbers
        """
        start, end = self._places[name]
        if end - start != torch.Size(shape).numel() * kind.itemsize:
            raise InvalidModelFileError(f"'{self._file.name}' has too few bytes for '{name[:100]}'; fetch it again")
        return Upload(self, start, shape, kind)

    def send(self, start: int, target: torch.Tensor) -> None:
        """Fill *target*, bytes on the device, with the file's from *start* on.

        :raises InvalidModelFileError: the file is shorter than it was
        """
        lane = _lane(self._device)
        lane.stream.wait_stream(torch.cuda.current_stream(self._device))
        for at in range(0, target.numel(), PIECE_BYTES):
            piece, sent = lane.next()
            sent.synchronize()
            count = min(PIECE_BYTES, target.numel() - at)
            self._read(piece[:count], start + at)
            with torch.cuda.stream(lane.stream):
                target[at : at + count].copy_(piece[:count], non_blocking=True)
                sent.record(lane.stream)
        lane.stream.synchronize()

    def _read(self, piece: torch.Tensor, start: int) -> None:
        view, done = memoryview(piece.numpy()), 0
        while done < len(view):
            count = os.preadv(self._descriptor, [view[done:]], start + done)
            if not count:
                raise InvalidModelFileError(f"'{self._file.name}' is cut off; fetch it again")
            done += count


class Upload:
    """One tensor of a file, sent once it's indexed."""

    def __init__(self, uploads: Uploads, start: int, shape: tuple[int, ...], kind: torch.dtype) -> None:
        self._uploads, self._start, self._shape, self._kind = uploads, start, shape, kind

    def __getitem__(self, index: Any) -> torch.Tensor:
        whole = torch.empty(self._shape, dtype=self._kind, device=self._uploads._device)  # noqa: SLF001 - its own
        if whole.numel():
            self._uploads.send(self._start, whole.reshape(-1).view(torch.uint8))
        return whole[index]


class _Lane(threading.local):
    """A thread's own buffers and stream; they go when the threads of the load do."""

    stream: torch.cuda.Stream
    pieces: list[tuple[torch.Tensor, torch.cuda.Event]] | None = None

    def next(self) -> tuple[torch.Tensor, torch.cuda.Event]:
        assert self.pieces is not None
        self.pieces.reverse()
        return self.pieces[0]


_LANE = _Lane()


def _lane(device: torch.device) -> _Lane:
    if _LANE.pieces is None:
        torch.cuda.set_device(device)
        _LANE.stream = torch.cuda.Stream(device)
        _LANE.pieces = [
            (torch.empty(PIECE_BYTES, dtype=torch.uint8, pin_memory=True), torch.cuda.Event()) for _ in range(2)
        ]
    return _LANE


def _places(file: Path) -> dict[str, tuple[int, int]]:
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        whole = file.stat().st_size
        if size > whole - 8:
            raise InvalidModelFileError(f"'{file.name}' is no whole safetensors file; fetch it again")
        header = json.loads(opened.read(size))
    start = 8 + size
    offsets = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: (start + first, start + last) for name, (first, last) in offsets.items()}
