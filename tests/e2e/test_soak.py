"""Loads and unloads again and again: the code of `benchmarks/soak.py`."""

import pytest
from proving.soak import broken_promises, run

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"


@pytest.mark.timeout(300)
async def test_ten_loads_and_unloads(smollm2):
    soaked = await run(MODEL, smollm2, backend="llamaserver", cycles=8, warm_up=2)
    assert broken_promises(soaked) == []
    assert len(soaked.cycles) == 10


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("backend", ["llamaserver", "llamacpp"])
async def test_a_hundred_loads_and_unloads(backend, smollm2):
    soaked = await run(MODEL, smollm2, backend=backend, cycles=100, warm_up=10)
    assert broken_promises(soaked) == []
