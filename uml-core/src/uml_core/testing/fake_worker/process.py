"""What a process does to itself: speak, end, stop, and leave things behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
import time
from typing import NoReturn


def say(*lines: str) -> None:
    """Write to the log; in one call a line, so that threads don't mix."""
    for line in lines:
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode())


def flood(size_bytes: int) -> None:
    """Write *size_bytes* to stdout, in lines, as fast as the reader takes them."""
    line = b"x" * 1023 + b"\n"
    for _ in range(size_bytes // len(line)):
        os.write(1, line)


def crash(number: int) -> NoReturn:
    """End by signal *number*, as native code does."""
    os.kill(os.getpid(), number)
    while True:  # until the signal is delivered
        time.sleep(1)


def freeze() -> None:
    """Stop the whole process; somebody has to continue or kill it."""
    # to this thread: sent to the process, another one may take it, and this one would go on for a while
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def hold_gil(seconds: float) -> None:
    """Let no other thread run Python for so long, as an engine's constructor may."""
    # blocked, because a signal would wake usleep, and native code is not that polite
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    say("holding the GIL")  # from here on nothing is heeded: who tests that can wait for the line
    ctypes.PyDLL(None).usleep(ctypes.c_uint(int(seconds * 1e6)))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def leave(code: int) -> NoReturn:
    """End at once with *code*: other threads may be in the middle of anything."""
    os._exit(code)


def leave_no_core() -> None:
    """A scripted crash is no reason to write this process's memory to the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def leave_files() -> None:
    """Make a file in the working folder and one where temporary files go, and remove neither."""
    import tempfile  # here: few need it, and it takes a while

    for folder in (os.curdir, tempfile.gettempdir()):
        descriptor, name = tempfile.mkstemp(prefix="fake-worker-", dir=folder)
        os.close(descriptor)
        say(f"run file {os.path.realpath(name)}")


def leave_grandchild(kind: str) -> None:
    """Start a process in a session of its own that outlives this one, holding the inherited descriptors or none."""
    if kind == "none" or os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    say(f"grandchild {os.getpid()}")
    if kind == "closed":
        os.closerange(0, 1024)
        os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # dup2 makes them inheritable
            os.dup2(0, descriptor)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(3600)"])  # noqa: S606
