"""What the server would take: it lays out its buffers and allocates none; the parent reads its log, and ends it.

Like the server it runs by its path in whatever Python has xllamacpp. The package offers nothing that lays out and then
stops, so that the server goes on, tries the model without weights, and runs into address 0; there it is held, since the
thread that writes the log has not said everything by then.
"""

from __future__ import annotations

import ctypes
import json
import runpy
import secrets
import signal
import sys
from pathlib import Path

LIMIT_S = 15
"""When it ends by itself, should the parent be gone."""


def main() -> None:
    """Read what a launch file would say from stdin, and lay it out."""
    signal.alarm(LIMIT_S)
    said = json.load(sys.stdin)
    import xllamacpp

    server = runpy.run_path(str(Path(__file__).with_name("server.py")))
    server["tell_overhead"]()
    filled = server["params"](xllamacpp, {**said, "host": "127.0.0.1", "port": 0, "token": secrets.token_hex()})
    filled.no_alloc = True
    filled.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE  # it can't map and allocate nothing
    filled.fit_params = filled.warmup = False
    _hold_at(signal.SIGSEGV)
    _hold_at(signal.SIGABRT)
    xllamacpp.Server(filled)


def _hold_at(number: int) -> None:
    """Let the thread that *number* strikes wait for ever. Python's own handlers would run too late."""
    libc = ctypes.CDLL(None)
    libc.signal(number, ctypes.cast(libc.pause, ctypes.c_void_p))


if __name__ == "__main__":
    main()
