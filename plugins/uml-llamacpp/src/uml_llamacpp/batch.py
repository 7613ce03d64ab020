"""What one call of llama.cpp computes: tokens of several sequences, in memory that is made once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import llama_cpp as c
import numpy as np
from numpy.typing import NDArray

from uml_core.worker.text import Row


class TokenBatch:
    """Room for *size* tokens of *slots* sequences."""

    def __init__(self, size: int, slots: int) -> None:
        self._token: NDArray[Any] = np.zeros(size, np.int32)
        self._position: NDArray[Any] = np.zeros(size, np.int32)
        self._one: NDArray[Any] = np.ones(size, np.int32)  # every token belongs to one sequence
        self._slot: NDArray[Any] = np.arange(slots, dtype=np.int32)
        self._where: NDArray[Any] = np.zeros(size, np.uintp)  # the address of its sequence's number
        self._wanted: NDArray[Any] = np.zeros(size, np.int8)
        self._filled = c.llama_batch(
            n_tokens=0,
            token=_pointer(self._token, ctypes.c_int32),
            embd=None,
            pos=_pointer(self._position, ctypes.c_int32),
            n_seq_id=_pointer(self._one, ctypes.c_int32),
            seq_id=_pointer(self._where, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._wanted, ctypes.c_int8),
        )

    def fill(self, rows: Sequence[Row]) -> Any:
        """llama.cpp's record of *rows*, good until the next call."""
        at = 0
        for row in rows:
            end = at + len(row.tokens)
            self._token[at:end] = row.tokens
            self._position[at:end] = range(row.start, row.start + end - at)
            self._where[at:end] = self._slot.ctypes.data + self._slot.itemsize * row.slot
            self._wanted[at:end] = 0
            self._wanted[end - 1] = row.wanted
            at = end
        self._filled.n_tokens = at
        return self._filled


def _pointer(array: Any, kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
