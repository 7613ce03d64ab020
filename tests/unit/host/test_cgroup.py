"""The trees of control groups as systemd, Docker and Kubernetes lay them out, written into a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from uml_core.host.cgroup import Limits, oom_kills, read_cgroups
from uml_core.host.memory import measure_memory

GB = 10**9


class Tree:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proc = folder / "proc"
        self.proc.mkdir()
        (self.proc / "mountinfo").write_text("22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n")
        (self.proc / "cgroup").write_text("")

    def mount(self, kind: str, options: str = "rw", *, root: str = "/", at: str = "sys") -> None:
        line = f"32 31 0:29 {root} {self.folder / at} rw,relatime shared:9 master:4 - {kind} {kind} {options}\n"
        with (self.proc / "mountinfo").open("a") as file:
            file.write(line)

    def join(self, *lines: str) -> None:
        (self.proc / "cgroup").write_text("".join(f"{line}\n" for line in lines))

    def group(self, path: str, **values: str) -> None:
        folder = self.folder / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name.replace("_", ".", 1)).write_text(f"{value}\n")

    def read(self) -> Limits:
        return read_cgroups(proc=self.proc)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_no_proc_at_all(tmp_path):
    assert read_cgroups(proc=tmp_path / "proc") == Limits()


def test_no_groups(tree):
    assert tree.read() == Limits()


def test_version_2_without_limits(tree):
    tree.mount("cgroup2")
    tree.join("0::/user.slice")
    tree.group("sys/user.slice", cpu_max="max 100000", memory_max="max", memory_current="1000")
    assert tree.read() == Limits()


def test_version_2_in_a_container(tree):
    tree.mount("cgroup2")
    tree.join("0::/")
    stat = "anon 5\nactive_file 400\ninactive_file 500\nactive_anon 7"
    tree.group("sys", cpu_max="150000 100000", memory_max="10000", memory_current="7000", memory_stat=stat)
    assert tree.read() == Limits(cores=1.5, memory_bytes=10000, free_memory_bytes=3900)


def test_the_tightest_of_nested_groups_counts(tree):
    tree.mount("cgroup2")
    tree.join("0::/a/b/c")
    tree.group("sys/a/b/c", cpu_max="400000 100000", memory_max="max")
    tree.group("sys/a/b", cpu_max="200000 100000", memory_max="9000", memory_current="0")
    tree.group("sys/a", cpu_max="max 100000", memory_max="10000", memory_current="9900")
    assert tree.read() == Limits(cores=2.0, memory_bytes=9000, free_memory_bytes=100)


def test_a_group_that_is_over_its_limit_has_nothing_left(tree):
    tree.mount("cgroup2")
    tree.join("0::/")
    tree.group("sys", memory_max="1000", memory_current="1200")
    assert tree.read().free_memory_bytes == 0


def test_version_1_with_a_mount_for_each_controller(tree):
    tree.mount("cgroup", "rw,cpu,cpuacct", at="cpu")
    tree.mount("cgroup", "rw,memory", at="memory")
    tree.join("4:memory:/box", "3:cpu,cpuacct:/box", "1:name=systemd:/box", "0::/")
    tree.group("cpu/box", cpu_cfs_quota_us="250000", cpu_cfs_period_us="100000")
    stat = "cache 1\ntotal_active_file 20\ntotal_inactive_file 30"
    tree.group("memory/box", memory_limit_in_bytes="1000", memory_usage_in_bytes="600", memory_stat=stat)
    tree.group("memory", memory_limit_in_bytes=str(2**63 - 4096), memory_usage_in_bytes="5")
    assert tree.read() == Limits(cores=2.5, memory_bytes=1000, free_memory_bytes=450)


def test_version_1_without_limits(tree):
    tree.mount("cgroup", "rw,cpu", at="cpu")
    tree.mount("cgroup", "rw,memory", at="memory")
    tree.join("4:memory:/", "1:cpu:/")
    tree.group("cpu", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    tree.group("memory", memory_limit_in_bytes=str(2**63 - 4096), memory_usage_in_bytes="5")
    assert tree.read() == Limits()


def test_version_1_in_a_container_that_mounts_only_its_own_part(tree):
    tree.mount("cgroup", "rw,memory", root="/docker/abc", at="memory")
    tree.join("4:memory:/docker/abc")
    tree.group("memory", memory_limit_in_bytes="1000", memory_usage_in_bytes="100")
    assert tree.read().memory_bytes == 1000


def test_both_versions_side_by_side(tree):
    tree.mount("cgroup", "rw,memory", at="memory")
    tree.mount("cgroup2", at="unified")
    tree.join("4:memory:/box", "0::/box")
    tree.group("memory/box", memory_limit_in_bytes="1000", memory_usage_in_bytes="100")
    tree.group("unified/box")
    assert tree.read() == Limits(memory_bytes=1000, free_memory_bytes=900)


def test_a_path_out_of_what_is_mounted(tree):
    tree.mount("cgroup2")
    tree.join("0::/../../elsewhere")
    tree.group("sys", memory_max="1000", memory_current="0")
    assert tree.read().memory_bytes == 1000


def test_files_that_say_nothing_sensible(tree):
    tree.mount("cgroup2")
    tree.join("0::/")
    tree.group("sys", cpu_max="", memory_max="lots", memory_current="")
    assert tree.read() == Limits()


@pytest.mark.parametrize(
    ("limits", "most_bytes", "free_bytes"),
    [
        (Limits(memory_bytes=GB, free_memory_bytes=1000), GB, 1000),
        (Limits(memory_bytes=GB, free_memory_bytes=0), GB, 0),
        (Limits(), 2**60, 2**60),
        (Limits(memory_bytes=2**59, free_memory_bytes=2**59), 2**59, 2**59),
    ],
)
def test_memory_is_the_machines_or_less(limits, most_bytes, free_bytes):
    total, free = measure_memory(limits)
    assert 0 < total <= most_bytes
    assert 0 <= free <= min(free_bytes, total)


def kills(tree: Tree, pid: int | None = None) -> int | None:
    """Asked of that process; the tree's is "self", or one that has moved to be *pid*."""
    tree.proc.rename(tree.folder / "self" if pid is None else tree.folder / str(pid))
    return oom_kills(pid, proc=tree.folder)


EVENTS = "low 0\nhigh 0\nmax 31\noom 4\noom_kill {count}\noom_group_kill 0"


def events(tree: Tree, path: str, *, local: int | None, all_below: int) -> None:
    tree.group(path)
    (tree.folder / path / "memory.events").write_text(EVENTS.format(count=all_below))
    if local is not None:
        (tree.folder / path / "memory.events.local").write_text(EVENTS.format(count=local))


def test_kills_in_version_2_are_those_of_the_group_itself(tree):
    tree.mount("cgroup2")
    tree.join("0::/box/worker")
    events(tree, "sys/box/worker", local=1, all_below=3)
    events(tree, "sys/box", local=7, all_below=9)
    assert kills(tree, 17) == 1


def test_kills_before_there_were_local_ones(tree):
    tree.mount("cgroup2")
    tree.join("0::/box")
    events(tree, "sys/box", local=None, all_below=3)
    assert kills(tree) == 3


def test_kills_of_a_group_without_the_memory_controller_are_counted_around_it(tree):
    tree.mount("cgroup2")
    tree.join("0::/box/worker")
    tree.group("sys/box/worker", cpu_max="max 100000")
    events(tree, "sys/box", local=2, all_below=2)
    assert kills(tree) == 2


def test_kills_in_version_1(tree):
    tree.mount("cgroup", "rw,memory", at="memory")
    tree.mount("cgroup2", at="unified")
    tree.join("4:memory:/box", "0::/")
    tree.group("memory/box", memory_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 5")
    tree.group("memory", memory_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 8")
    assert kills(tree) == 5


def test_kills_that_nobody_counts(tree):
    tree.mount("cgroup2")
    tree.join("0::/")
    tree.group("sys", memory_stat="anon 1")
    assert kills(tree) is None


def test_kills_of_a_kernel_that_does_not_count_them(tree):
    tree.mount("cgroup", "rw,memory", at="memory")
    tree.join("4:memory:/box")
    tree.group("memory/box", memory_oom_control="oom_kill_disable 0\nunder_oom 0")
    assert kills(tree) is None


def test_kills_of_nobody(tmp_path):
    assert oom_kills(2**22 + 1) is None
    assert oom_kills(proc=tmp_path / "none") is None
