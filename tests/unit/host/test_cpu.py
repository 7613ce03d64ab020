from __future__ import annotations

import os
from pathlib import Path

import pytest

from uml_core.host.cpu import count_cores


@pytest.fixture
def topology(tmp_path: Path):
    """Give the processors that we may use to so many threads of so many cores, as Linux tells it."""

    def write(threads: int) -> Path:
        for place, number in enumerate(sorted(os.sched_getaffinity(0))):
            folder = tmp_path / f"cpu{number}" / "topology"
            folder.mkdir(parents=True)
            (folder / "physical_package_id").write_text("0\n")
            (folder / "core_id").write_text(f"{place // threads}\n")
        return tmp_path

    return write


def test_the_two_threads_of_a_core_are_one_core(topology):
    usable = len(os.sched_getaffinity(0))
    assert count_cores(topology=topology(1)) == (usable, usable)


def test_processors_that_share_a_core(topology):
    usable = len(os.sched_getaffinity(0))
    assert count_cores(topology=topology(2)) == ((usable + 1) // 2, usable)


def test_an_unknown_topology(tmp_path):
    physical, logical = count_cores(topology=tmp_path)
    assert 1 <= physical <= logical


@pytest.mark.parametrize(("quota", "cores"), [(0.2, 1), (1.0, 1), (1.9, 1), (1000.0, None)])
def test_a_quota_of_processor_time(topology, quota, cores):
    usable = len(os.sched_getaffinity(0))
    assert count_cores(quota=quota, topology=topology(1)) == (cores or usable, cores or usable)


def test_a_process_that_may_run_on_one_processor_only(topology):
    folder, allowed = topology(1), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert count_cores(topology=folder) == (1, 1)
    finally:
        os.sched_setaffinity(0, allowed)
