"""Take memory of an NVIDIA device, say so, and hold it until standard input ends. Standard library only.

    python benchmarks/gpu/allocate.py MIB [DEVICE]

Prints one line, ``{"pid": 1, "bytes": 536870912}`` or ``{"error": "..."}``, when it has the memory or can't have it.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys


def allocate(size_bytes: int, number: int) -> None:
    """Through the driver's own library; the primary context, because that has had the same name in every version."""
    cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    device, context, address = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()

    def call(name: str, *arguments: object) -> None:
        code = getattr(cuda, name)(*arguments)
        if code:
            reason = ctypes.c_char_p()
            cuda.cuGetErrorString(code, ctypes.byref(reason))
            raise OSError(f"{name}: {(reason.value or b'?').decode()}")

    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), number)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size_bytes))


def main() -> int:
    size_bytes = int(sys.argv[1]) << 20
    try:
        allocate(size_bytes, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    except (OSError, AttributeError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    print(json.dumps({"pid": os.getpid(), "bytes": size_bytes}), flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
