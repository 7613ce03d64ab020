"""The kernel's files as it writes them, and this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from uml_core.host.memory import TreeMemory, available_bytes, measure_tree, quick_anon_bytes, resident_bytes

GONE = 2**22 + 1  # more than the kernel gives
KB = 1024
ROLLUP = """55be0b3de000-7ffd569b9000 ---p 00000000 00:00 0                          [rollup]
Rss:              {rss} kB
Pss:              {pss} kB
Pss_Dirty:           112 kB
Pss_Anon:           {anon} kB
Pss_File:            258 kB
Private_Clean:        80 kB
Anonymous:         {anonymous} kB
Private_Hugetlb:       {huge} kB
"""
STATUS = """Name:	worker of kB 1 kB
State:	S (sleeping)
VmPeak:	    3060 kB
VmRSS:	    {rss} kB
RssAnon:	     {anon} kB
RssFile:	    1580 kB
RssShmem:	       {shared} kB
Threads:	1
"""


class Proc:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def process(self, pid, *, rss=5000, pss=4000, anon=1000, anonymous=1200, shared=30, huge=0, fds=3):
        folder = self.folder / str(pid)
        (folder / "fd").mkdir(parents=True)
        for number in range(fds):
            (folder / "fd" / str(number)).touch()
        text = ROLLUP.format(rss=rss, pss=pss, anon=anon, anonymous=anonymous, huge=huge)
        (folder / "smaps_rollup").write_text(text)
        (folder / "status").write_text(STATUS.format(rss=rss, anon=anonymous, shared=shared))
        return folder


@pytest.fixture
def proc(tmp_path):
    return Proc(tmp_path)


def test_a_tree(proc):
    proc.process(10)
    proc.process(11, rss=100, pss=50, anon=20, anonymous=40, shared=0, fds=1, huge=2048)
    assert measure_tree([10, 11], proc=proc.folder) == TreeMemory(
        private_bytes=(1000 + 20 + 2048) * KB,
        shared_bytes=(3000 + 30) * KB,
        rss_bytes=5100 * KB,
        anon_bytes=(1230 + 40) * KB,
        fds=4,
        pids=(10, 11),
    )
    assert quick_anon_bytes([10, 11], proc=proc.folder) == 1270 * KB
    assert resident_bytes([10, 11], proc=proc.folder) == 5100 * KB


def test_a_process_counts_once(proc):
    proc.process(10)
    assert measure_tree([10, 10], proc=proc.folder) == measure_tree([10], proc=proc.folder)
    assert resident_bytes([10, 10], proc=proc.folder) == 5000 * KB


def test_an_older_kernel_counts_no_share_of_anonymous_memory(proc):
    rollup = proc.process(10) / "smaps_rollup"
    rollup.write_text("".join(line + "\n" for line in rollup.read_text().splitlines() if "Pss_Anon" not in line))
    tree = measure_tree([10], proc=proc.folder)
    assert (tree.private_bytes, tree.shared_bytes) == (1200 * KB, 2800 * KB)


def test_a_zombie_holds_nothing(proc):
    """The kernel answers with "no such process" for its pages, and leaves the memory out of its status."""
    folder = proc.process(10)
    (folder / "status").write_text("Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n")
    (folder / "smaps_rollup").write_text("")
    assert quick_anon_bytes([10], proc=proc.folder) == resident_bytes([10], proc=proc.folder) == 0
    assert measure_tree([10], proc=proc.folder).private_bytes == 0


def test_a_name_that_is_no_text(proc):
    status = proc.process(10) / "status"
    status.write_bytes(status.read_bytes().replace(b"worker", b"\xff\xfe"))
    assert resident_bytes([10], proc=proc.folder) == 5000 * KB


def test_nobody_is_there():
    assert measure_tree([GONE]) == measure_tree([]) == TreeMemory()
    assert quick_anon_bytes([GONE]) == resident_bytes([GONE]) == 0


def test_a_process_that_is_not_ours(proc, monkeypatch):
    """As the kernel refuses it: opening the file fails."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    proc.process(10)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert measure_tree([10], proc=proc.folder) == TreeMemory()
    assert quick_anon_bytes([10], proc=proc.folder) == resident_bytes([10], proc=proc.folder) == 0


def test_where_the_kernel_keeps_no_such_files_psutil_is_asked(tmp_path):
    """As on macOS, Windows and gVisor."""
    pid, rss = os.getpid(), psutil.Process().memory_info().rss
    tree = measure_tree([pid], proc=tmp_path)
    assert tree.pids == (pid,)
    assert 0 < tree.private_bytes == tree.anon_bytes <= tree.rss_bytes
    assert tree.private_bytes + tree.shared_bytes == tree.rss_bytes == pytest.approx(rss, rel=0.2)
    assert tree.fds >= 3
    assert resident_bytes([pid], proc=tmp_path) == quick_anon_bytes([pid], proc=tmp_path) == pytest.approx(rss, rel=0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own count")
def test_this_process():
    tree, full = measure_tree([os.getpid()]), psutil.Process().memory_full_info()
    assert tree.private_bytes + tree.shared_bytes == pytest.approx(full.pss, rel=0.05)
    assert tree.rss_bytes == pytest.approx(full.rss, rel=0.05)
    assert quick_anon_bytes([os.getpid()]) == pytest.approx(tree.anon_bytes, rel=0.05)
    assert resident_bytes([os.getpid()]) == pytest.approx(full.rss, rel=0.05)


def test_what_is_free_now():
    assert 0 < available_bytes() <= psutil.virtual_memory().total
