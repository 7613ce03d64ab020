"""Standard error that nobody reads, or that is gone."""

import fcntl
import os

import pytest

from uml_core.server.outlet import Outlet


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as stream:
        yield source, stream


def test_lines_go_through_as_they_are(pipe):
    source, stream = pipe
    outlet = Outlet(stream)
    assert outlet.write("one\n") == 4
    outlet.write("zwölf\n")
    assert os.read(source.fileno(), 100) == "one\nzwölf\n".encode()
    assert not outlet.isatty()


def test_what_nobody_reads_is_dropped_and_counted(pipe):
    source, stream = pipe
    outlet = Outlet(stream)
    for number in range(1000):
        outlet.write(f"line {number:05}\n")
    held = os.read(source.fileno(), 1 << 16).decode()
    assert held.startswith("line 00000\nline 00001\n")
    assert 0 < outlet.dropped < 1000
    assert held.count("\n") + outlet.dropped == 1000
    outlet.write("again\n")
    assert os.read(source.fileno(), 1 << 16).decode() == (
        f"({1000 - held.count(chr(10))} lines of the log are only in its file)\nagain\n"
    )
    assert outlet.dropped == 0


def test_a_long_line_never_blocks(pipe):
    source, stream = pipe
    assert Outlet(stream).write("x" * 100_000 + "\n") == 100_001
    assert 0 < len(os.read(source.fileno(), 1 << 20)) <= 8192


def test_a_reader_that_is_gone_is_no_error(pipe):
    source, stream = pipe
    outlet = Outlet(stream)
    source.close()
    for _ in range(3):
        assert outlet.write("anybody?\n") == 9
    outlet.flush()
