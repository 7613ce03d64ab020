from __future__ import annotations

import pytest

from uml_core.host.numa import count_numa_nodes, numbers


@pytest.mark.parametrize(
    ("having", "allowed", "count"),
    [
        ("0", "0", 1),
        ("0-1", "0-1", 2),
        ("0-1", "1", 1),
        ("0,2-3", "0-63", 3),
        ("0-7", "", 8),
        ("1", "0", 1),
        ("?", "0", 1),
    ],
)
def test_nodes(tmp_path, having, allowed, count):
    (tmp_path / "has_memory").write_text(f"{having}\n")
    status = tmp_path / "status"
    status.write_text(f"Name:\tpython\nMems_allowed:\tff\nMems_allowed_list:\t{allowed}\n")
    assert count_numa_nodes(nodes=tmp_path, status=status) == count


def test_a_system_without_nodes(tmp_path):
    assert count_numa_nodes(nodes=tmp_path, status=tmp_path / "none") == 1


def test_ranges():
    assert numbers("0-3,8\n") == {0, 1, 2, 3, 8}
    with pytest.raises(ValueError):
        numbers("0-x")
