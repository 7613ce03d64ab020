"""What is compared with what was measured."""

import pytest
from attrs import evolve

from uml_core.supervisor.calibration import _by_now
from uml_core.types import MemoryPart

PART = MemoryPart(device="cpu", kind="compute", size_bytes=100, low_bytes=20, high_bytes=110)


@pytest.mark.parametrize(("reach", "size_bytes"), [(0.0, 20), (0.5, 60), (1.0, 100)])
def test_calculating_was_to_take_more_the_further_the_context_reaches(reach, size_bytes):
    assert _by_now(PART, reach) == size_bytes


@pytest.mark.parametrize("facts", [{"device": "cuda:0"}, {"kind": "weights"}, {"kind": "kv_cache"}])
def test_all_else_was_to_take_its_size_from_the_start(facts):
    assert _by_now(evolve(PART, **facts), 0.1) == 100
