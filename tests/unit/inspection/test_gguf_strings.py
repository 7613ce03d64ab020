"""The fast walk over a vocabulary ends where the plain one does, whatever the strings are."""

from __future__ import annotations

import io
import random
from struct import pack, unpack_from

import pytest

from uml_core.inspection.gguf.cursor import WINDOW_BYTES, Cursor, Malformed
from uml_core.inspection.gguf.strings import CHUNK, SHORT, skip_strings

PIECES = [b"", b"\0" * 8, pack("<Q", 5), b"\x05\0\0\0\0\0\0\0hello", b"\xff" * 9, b"\n\r|()[]{}", b"a" * (SHORT - 1)]
PIECES += [b"b" * SHORT, b"c" * 256, b"d" * 4096]


def packed(strings: list[bytes]) -> bytes:
    return b"".join(pack("<Q", len(string)) + string for string in strings)


def walked(data: bytes, count: int) -> int:
    at = 0
    for _ in range(count):
        at += 8 + unpack_from("<Q", data, at)[0]
    return at


def skipped(data: bytes, count: int) -> int:
    cursor = Cursor(io.BytesIO(data), len(data))
    skip_strings(cursor, count)
    return cursor.position


@pytest.mark.parametrize("seed", range(40))
def test_random_strings(seed):
    source = random.Random(seed)
    strings = [
        source.choice(PIECES) if source.random() < seed / 400 else source.randbytes(source.randrange(12))
        for _ in range(source.randrange(6 * CHUNK))
    ]
    data = packed(strings) + source.randbytes(64)
    for count in {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, len(strings)}:
        if count <= len(strings):
            assert skipped(data, count) == walked(data, count)


@pytest.mark.parametrize("length", [*range(SHORT + 2), 255, 256, 257, 65536])
def test_strings_of_each_length(length):
    data = packed([b"\n" * length] * CHUNK)
    assert skipped(data, CHUNK) == len(data)


def test_strings_over_the_edges_of_windows():
    data = packed([b"x" * (number % 40) for number in range(60_000)])
    assert len(data) > 3 * WINDOW_BYTES
    assert skipped(data, 60_000) == len(data)


def test_strings_longer_than_a_window():
    data = packed([b"x" * (WINDOW_BYTES + number) for number in range(5)] + [b"y"])
    assert skipped(data, 6) == len(data)


@pytest.mark.parametrize("short", [1, 7, 8, 9, 100])
def test_strings_that_end_after_the_file(short):
    data = packed([b"x" * 5] * (2 * CHUNK))[:-short]
    with pytest.raises(Malformed, match="it ends within its header"):
        skipped(data, 2 * CHUNK)
