"""Whose each page is, by the kernel's list."""

import subprocess
import sys
from pathlib import Path

import pytest

from uml_core.host.mappings import MappedMemory, measure_mappings

KB = 1024
HOLDER = """
import ctypes, mmap, sys
pages, how, own = int(sys.argv[2]), sys.argv[3], bytearray(b"x") * int(sys.argv[4])
with open(sys.argv[1], "r+b") as file:
    access = {"shared": mmap.ACCESS_READ, "written": mmap.ACCESS_COPY}[how]
    view = mmap.mmap(file.fileno(), 0, access=access)
for page in range(pages):
    if how == "written":
        view[page * mmap.PAGESIZE] = 1
    else:
        view[page * mmap.PAGESIZE]
shared = mmap.mmap(-1, 4 << 20)
shared.write(b"y" * (4 << 20))
print("ready", flush=True)
sys.stdin.read()
"""


def listed(pid, *mappings):
    """A list as Linux writes it: one page after the other of what somebody has mapped."""
    lines = []
    for path, facts in mappings:
        lines.append(f"7f0000000000-7f0000001000 r--s 00000000 fe:00 {facts.pop('inode', 0)}        {path}\n")
        lines += [f"{name}: {size:>14} kB\n" for name, size in facts.items()]
        lines.append("VmFlags: rd mr mw me\n")
    folder = Path(pid)
    folder.mkdir(parents=True)
    (folder / "smaps").write_text("".join(lines))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "a model, with spaces.gguf"
    path.write_bytes(b"m" * (8 << 20))
    return path


def test_the_models_pages_are_apart_from_what_is_the_processs_own(tmp_path, model):
    file = {"Size": 100, "Rss": 60, "Pss": 30, "Anonymous": 10}
    own = {"Size": 900, "Rss": 500, "Pss": 500, "Anonymous": 500, "Private_Hugetlb": 2048}
    pinned = {"Size": 64, "Rss": 64, "Pss": 32, "Anonymous": 0}
    library = {"Size": 300, "Rss": 200, "Pss": 100, "Anonymous": 7}
    listed(tmp_path / "1", (model, file), ("", own), ("/dev/zero (deleted)", pinned), ("/usr/lib/libx.so", library))
    found = measure_mappings([1], [model], proc=tmp_path)
    assert found == MappedMemory(
        files_bytes=50 * KB, mapped_bytes=100 * KB, private_bytes=(10 + 500 + 2048 + 32 + 7) * KB
    )


def test_a_file_under_another_name_is_known_by_its_inode(tmp_path, model):
    facts = model.stat()
    device = f"{facts.st_dev >> 8 & 0xFFF:02x}:{facts.st_dev & 0xFF:02x}"
    (tmp_path / "1").mkdir()
    head = f"7f0000000000-7f0000001000 r--s 00000000 {device} {facts.st_ino} /elsewhere/blob (deleted)\n"
    (tmp_path / "1" / "smaps").write_text(head + "Size: 8 kB\nRss: 8 kB\nPss: 8 kB\nAnonymous: 0 kB\n")
    assert measure_mappings([1], [model], proc=tmp_path) == MappedMemory(files_bytes=8 * KB, mapped_bytes=8 * KB)


def test_a_file_that_two_processes_map_is_in_memory_once(tmp_path, model):
    for pid, resident in (("1", 40), ("2", 60)):
        listed(tmp_path / pid, (model, {"Size": 100, "Rss": resident}), ("", {"Rss": 5, "Anonymous": 5}))
    found = measure_mappings([1, 2, 2], [model], proc=tmp_path)
    assert found == MappedMemory(files_bytes=60 * KB, mapped_bytes=100 * KB, private_bytes=10 * KB)


def test_without_a_list_nothing_is_known(tmp_path, model):
    assert measure_mappings([1], [model], proc=tmp_path) is None
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "smaps").write_text("")  # a zombie's
    assert measure_mappings([1], [model], proc=tmp_path) is None
    assert measure_mappings([], [model], proc=tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the kernel keeps no list of mappings")
@pytest.mark.parametrize("how", ["shared", "written"])
def test_a_real_process_holds_what_it_read_and_what_it_wrote(model, how):
    pages, own = 1024, 32 << 20
    argv = [sys.executable, "-c", HOLDER, model, str(pages), how, str(own)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        found = measure_mappings([child.pid], [model, model.with_name("gone")])
        child.communicate()
    assert found.mapped_bytes == model.stat().st_size
    written = pages * 4096 if how == "written" else 0
    if how == "shared":
        assert pages * 4096 <= found.files_bytes <= model.stat().st_size
    assert own + (4 << 20) + written <= found.private_bytes <= own + (4 << 20) + written + (24 << 20)
