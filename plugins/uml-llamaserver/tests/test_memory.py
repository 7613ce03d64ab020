"""What a load takes: what is laid out beforehand, and what the log tells, against what a real server holds."""

import sys
import time
from pathlib import Path

import attrs
import psutil
import pytest

from uml_llamaserver import plugin
from uml_llamaserver.options import Settings

pytest.importorskip("xllamacpp")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]

MIB = 1 << 20
TOLERANCE = 16 * MIB


def told(server):
    """What the log tells, in all of each kind."""
    sums = {}
    for part in filter(None, map(server.command.memory, server.log.splitlines())):
        assert (part.device, part.source) == ("cpu", "measured")
        sums[part.kind] = sums.get(part.kind, 0) + part.size_bytes
    return sums


def held(server):
    """Memory of the process that is of no file."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return sum(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(("RssAnon", "RssShmem")))


@pytest.mark.parametrize("how", [{}, {"parallel": 2, "cache_type_k": "q8_0", "flash_attn": "on", "n_ubatch": 128}])
def test_what_is_laid_out_and_told_is_what_is_held(start, how):
    server = start(**how).wait_ready()
    layout = plugin.uml_estimate_memory(plan=server.plan)
    sums = told(server)
    assert sums["weights"] == pytest.approx(server.plan.model.size_bytes, rel=0.05)
    assert sums.keys() == {"weights", "kv_cache", "compute", "overhead"}
    server.ask("word " * 400, max_tokens=2)
    empty, compute = layout.parts
    assert (empty.device, empty.kind, empty.source) == ("cpu", "overhead", "probe")
    assert empty.size_bytes == pytest.approx(sums["overhead"], abs=2 * MIB)  # the probe is a program of its own
    assert (compute.device, compute.kind, compute.source) == ("cpu", "compute", "probe")
    assert compute.low_bytes < compute.size_bytes < compute.high_bytes
    grown = held(server) - sums["overhead"] - sums["kv_cache"]
    assert compute.size_bytes == pytest.approx(grown, abs=TOLERANCE)
    assert compute.size_bytes > sums["compute"], "the vocabulary is missing"


def test_the_cache_is_told_to_the_byte(start):
    layers, width, cells = 30, 3 * (64 + 64), 512
    sums = told(start(parallel=2).wait_ready())
    assert sums["kv_cache"] == pytest.approx(2 * layers * width * cells * 2, abs=MIB // 100)


def test_less_at_once_takes_less(start):
    server = start().wait_ready()
    fewer = attrs.evolve(server.plan, options={**server.plan.options, "n_ubatch": 64})
    many, few = (plugin.uml_estimate_memory(plan=plan).total_bytes for plan in (server.plan, fewer))
    assert few < many - 4 * MIB


def test_the_log_is_quiet_once_it_is_ready(start):
    server = start().wait_ready()
    deadline = time.monotonic() + 10
    while "ready at" not in server.log and time.monotonic() < deadline:
        time.sleep(0.02)
    before = server.log
    server.ask("a question that is nobody's business", max_tokens=2)
    time.sleep(0.3)
    more = server.log.removeprefix(before)
    assert "sampler chain" not in more
    assert "nobody's business" not in server.log


def test_what_can_not_be_laid_out(start, model, tmp_path):
    server = start()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model.path.read_bytes()[: 2**20])
    broken = attrs.evolve(server.plan, model=attrs.evolve(model, path=cut))
    program = attrs.evolve(server.plan, settings=Settings(binary=sys.executable).model_dump())
    children = set(psutil.Process().children())
    assert plugin.uml_estimate_memory(plan=broken) is None
    assert plugin.uml_estimate_memory(plan=program) is None
    assert set(psutil.Process().children()) == children
