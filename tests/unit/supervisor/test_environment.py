from __future__ import annotations

import pytest

from uml_core.supervisor.environment import worker_environment


def environment(parent=None, **rest):
    return worker_environment(parent or {}, passed=(), own={}, launch={}, **rest)


@pytest.mark.parametrize(
    ("spin", "said"),
    [
        (None, {}),
        (True, {"OMP_WAIT_POLICY": "active"}),
        (False, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}),
    ],
)
def test_how_idle_threads_wait(spin, said):
    found = environment(spin=spin)
    assert {name: value for name, value in found.items() if "OMP" in name or "KMP" in name} == said


def test_the_plan_goes_before_the_users_own_environment():
    parent = {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "3"}
    assert environment(parent, spin=False)["OMP_WAIT_POLICY"] == "passive"
    assert environment(parent)["OMP_WAIT_POLICY"] == "active"
    assert environment(parent, spin=False)["OMP_NUM_THREADS"] == "3"
