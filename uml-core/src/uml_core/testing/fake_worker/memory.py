"""Memory that is really taken, so that whoever measures a fake worker measures something."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from .process import leave, say

EXIT_FAILED, EXIT_NO_ENGINE = 1, 4
CUDA_OUT_OF_MEMORY = 2


class Leak:
    """What requests leave behind, for as long as the process lives."""

    def __init__(self, *, bytes_each: int, fds_each: int) -> None:
        self._bytes_each, self._fds_each = bytes_each, fds_each
        self._kept: list[bytes] = []

    def grow(self) -> None:
        """Lose what one request loses; every page is written to."""
        self._kept.append(b"\1" * self._bytes_each)
        for _ in range(self._fds_each):
            os.open(os.devnull, os.O_RDONLY)


class Batch:
    """What the first long prompt takes and keeps, as an engine's buffers are touched by the first full batch."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._held = b""

    def touch(self) -> None:
        """Take it, unless it is taken; every page is written to."""
        self._held = self._held or b"\1" * self._size_bytes


def own_bytes() -> int | None:
    """Memory of this process that is of no file; None elsewhere than on Linux."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def take_device_memory(size_bytes: int) -> None:
    """Allocate and fill so much on the first GPU; end the process where there is none, or not so much."""
    if not size_bytes:
        return
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        say(f"fake engine: there is no CUDA driver here: {error}")
        leave(EXIT_NO_ENGINE)
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    size = ctypes.c_size_t(size_bytes)
    _call(cuda.cuInit, 0)
    _call(cuda.cuDeviceGet, ctypes.byref(device), 0)
    _call(cuda.cuDevicePrimaryCtxRetain, ctypes.byref(context), device)
    _call(cuda.cuCtxSetCurrent, context)
    _call(cuda.cuMemAlloc_v2, ctypes.byref(memory), size)
    _call(cuda.cuMemsetD8_v2, memory, 1, size)
    _call(cuda.cuCtxSynchronize)
    say(f"fake engine: took {size_bytes} bytes of the GPU")


def _call(function: Callable[..., int], *arguments: object) -> None:
    if code := function(*arguments):
        reason = "out of memory" if code == CUDA_OUT_OF_MEMORY else f"error {code}"
        say(f"fake engine: CUDA {reason} in {getattr(function, '__name__', function)}")
        leave(EXIT_FAILED)
