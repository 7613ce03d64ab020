"""`kill -9` again and again, of the engine and of the gateway, while clients ask: the code of `benchmarks/chaos.py`."""

import json

import pytest
from attrs import asdict
from proving.chaos import Orders, run
from proving.question import THINGS
from proving.verdict import broken_promises, count

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"


async def promises(orders, smollm2):
    seen = await run(MODEL, smollm2, orders)
    both = count(seen.workers, seen.gateways)
    print(json.dumps(asdict(both), default=str))
    assert broken_promises(seen) == []
    return seen


@pytest.mark.timeout(300)
async def test_kills_in_brief(smollm2):
    orders = Orders(requests=300, limit_s=16, every_s=4, gateway_kills=5, things=THINGS[:6])
    seen = await promises(orders, smollm2)
    assert len(seen.workers.strikes) >= 2
    assert len(seen.gateways.strikes) == 5
    assert count(seen.workers).recovery_s
    assert seen.rows.total >= count(seen.workers, seen.gateways).asked


@pytest.mark.proof
@pytest.mark.timeout(4500)
@pytest.mark.parametrize("backend", ["llamaserver", "llamacpp"])
async def test_kills_in_full(backend, smollm2):
    seen = await promises(Orders(backend=backend, limit_s=3000), smollm2)
    both = count(seen.workers, seen.gateways)
    assert both.asked >= 3000
    assert both.surely >= 0.999
    assert len(seen.gateways.strikes) == 50
