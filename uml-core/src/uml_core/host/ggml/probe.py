"""What a load would take, asked of ggml's engine in a child that lays out its buffers and allocates none."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from uml_core.host.ggml.buffers import read_buffer, read_overhead
from uml_core.types import HOST, MemoryEstimate, MemoryPart

LIMIT_S = 12.0
"""Three seconds less than an estimate is waited for."""
DONE = re.compile(r"reserve took \S+ ms")
OWN = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
SPREAD = 0.05
"""In the machine's memory; what turns a batch into the weights' number type is in no buffer that the log tells of."""


def probe(argv: Sequence[str], *, env: Mapping[str, str], said: str) -> MemoryEstimate | None:
    """Run *argv* until its log tells that the buffers are laid out; None if it doesn't come to that in 12 seconds.

    The child reads *said* from stdin. Before it opens the model it writes ``uml: the empty worker holds N bytes``. It
    need not end by itself.

    :param env: the child's whole environment
    :returns: ``compute`` of each device; with the machine's own are the vocabulary and the graph, as they were
        measured; and the ``overhead`` that the child says it has
    """
    try:
        with _running(argv, env, said) as child:
            return _read(child)
    except OSError:
        return None


@contextlib.contextmanager
def _running(argv: Sequence[str], env: Mapping[str, str], said: str) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        told.write(said)
        told.seek(0)
        child = subprocess.Popen(
            argv, env=env, stdin=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
            errors="replace",
        )  # fmt: skip
    timer = threading.Timer(LIMIT_S, child.kill)
    timer.start()
    with child:
        try:
            yield child
        finally:
            timer.cancel()
            child.kill()


def _read(child: subprocess.Popen[str]) -> MemoryEstimate | None:
    empty, sizes = None, Counter[str]()
    for line in child.stdout or ():
        if (part := read_overhead(line)) is not None:
            empty = part.size_bytes
        elif (part := read_buffer(line)) and part.kind == "compute":
            sizes[part.device] += part.size_bytes
        elif DONE.search(line):
            return MemoryEstimate(parts=tuple(_parts(sizes, empty, _anonymous_bytes(child.pid))))
    return None


def _parts(sizes: Counter[str], empty: int | None, held: int | None) -> Iterator[MemoryPart]:
    for device in sizes.keys() - {HOST}:
        yield MemoryPart.exact(device, "compute", sizes[device], source="probe")
    if empty is not None:
        yield MemoryPart.exact(HOST, "overhead", empty, source="probe")
    if empty is not None and held is not None:
        size = sizes[HOST] + max(0, held - empty)
        low, high = round(size * (1 - SPREAD)), round(size * (1 + SPREAD))
        yield MemoryPart(device=HOST, kind="compute", size_bytes=size, low_bytes=low, high_bytes=high, source="probe")


def _anonymous_bytes(pid: int) -> int | None:
    """What the process holds that is of no file, as a worker counts its own; None where that is not to be known."""
    with contextlib.suppress(OSError, LookupError, ValueError):
        status = Path(f"/proc/{pid}/status").read_text("ascii")
        return sum(int(kib) << 10 for kib in OWN.findall(status)) or None
    return None
