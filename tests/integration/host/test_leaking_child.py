"""A real process that leaks at each line it reads, and one that doesn't."""

from __future__ import annotations

import subprocess
import sys

import pytest

from uml_core.host.memory import quick_anon_bytes
from uml_core.supervisor.leak import LeakDetector, Sample

LEAK_BYTES = 200_000
LINES = 300
ENGINE = f"""
import sys
kept = []
for line in sys.stdin:
    answer = b"x" * {LEAK_BYTES}
    if line == "keep\\n" or line == "fill\\n" and len(kept) < 60:
        kept.append(answer)
    print(len(answer), flush=True)
"""


def serve(order):
    """Ask it so often, look at its memory after each answer, and judge; a second of the clock goes by each time."""
    detector = LeakDetector(warm_up_requests=20, window_s=LINES)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ENGINE], stdin=pipe, stdout=pipe, text=True) as engine:
        for asked in range(LINES):
            engine.stdin.write(f"{order}\n")
            engine.stdin.flush()
            assert engine.stdout.readline() == f"{LEAK_BYTES}\n"
            detector.add(Sample(asked, asked, quick_anon_bytes([engine.pid])))
        level = quick_anon_bytes([engine.pid])
        engine.stdin.close()
    return detector.verdict(level + 100 * LEAK_BYTES)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere mapped files count as well")
def test_a_leak_of_200_kb_a_request_is_found():
    leak = serve("keep")
    assert leak
    assert (leak.which, leak.act) == ("memory", True)
    assert leak.slope * (1 if leak.per == "request" else 1 / 3600) == pytest.approx(LEAK_BYTES, rel=0.05)
    assert leak.projected_s == pytest.approx(100, rel=0.2)


@pytest.mark.parametrize("order", ["let go", "fill"])
def test_no_leak(order):
    """It frees what it took; or it keeps what it took, up to a limit, as a cache does."""
    assert serve(order) is None
