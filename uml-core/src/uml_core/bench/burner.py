"""A process that keeps a core busy, as the programs of a working person do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

PROGRAM = """
import os, sys, threading
def end():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end, daemon=True).start()
print("burning", flush=True)
while True:
    pass
"""


@contextlib.contextmanager
def burning() -> Iterator[int]:
    """Burn one core while the block runs, and no longer: the process ends with its standard input, too.

    :returns: its pid
    :raises OSError: it could not be started
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for us, who end it
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            pipe.close()
