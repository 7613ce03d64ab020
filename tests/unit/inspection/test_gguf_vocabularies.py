"""A vocabulary that was seen before is only compared, and what is not the same is walked over as ever."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Iterator
from struct import pack

import pytest

from uml_core.inspection.gguf import Malformed, strings
from uml_core.inspection.gguf.cursor import WINDOW_BYTES, Cursor
from uml_core.inspection.gguf.strings import skip_strings
from uml_core.inspection.gguf.vocabularies import NOTES, SEEN, SMALLEST_STRINGS, Vocabularies

COUNT = 2 * SMALLEST_STRINGS


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    SEEN.forget()
    yield
    SEEN.forget()


@pytest.fixture(scope="module")
def vocabulary() -> bytes:
    """More than a window, with strings of all lengths."""
    source = random.Random(7)
    words = [source.randbytes(source.choice((0, 3, 7, 12, 200))) for _ in range(COUNT)]
    packed = b"".join(pack("<Q", len(word)) + word for word in words)
    assert len(packed) > WINDOW_BYTES
    return packed


@pytest.fixture
def walks(monkeypatch) -> list[int]:
    """How many strings were walked over."""
    walked: list[int] = []
    over = strings._Walk.over
    monkeypatch.setattr(strings._Walk, "over", lambda walk, count: walked.append(count) or over(walk, count))
    return walked


def skipped(data: bytes, count: int = COUNT, *, before: int = 0) -> int:
    cursor = Cursor(io.BytesIO(bytes(before) + data), before + len(data), start=before)
    skip_strings(cursor, count)
    return cursor.position - before


@pytest.mark.parametrize("before", [0, 1, 1000, WINDOW_BYTES - 40])
def test_the_third_time_it_is_compared(vocabulary, walks, before):
    for _ in range(4):
        assert skipped(vocabulary + b"the rest", before=before) == len(vocabulary)
    assert walks == [COUNT, COUNT]


def test_what_differs_anywhere_is_walked_over(vocabulary, walks):
    for _ in range(2):
        skipped(vocabulary)
    last_word = b"another last word"
    other = vocabulary + pack("<Q", len(last_word)) + last_word
    longer = vocabulary[: len(vocabulary) - 8]
    assert skipped(other) == len(vocabulary)
    assert walks == [COUNT] * 2
    assert skipped(other, COUNT + 1) == len(other)
    swapped = bytearray(vocabulary)
    at = swapped.index(pack("<Q", 12), WINDOW_BYTES) + 8
    swapped[at] ^= 1
    assert skipped(bytes(swapped)) == len(vocabulary)
    assert walks == [COUNT, COUNT, COUNT + 1, COUNT]
    with pytest.raises(Malformed, match="it ends within its header"):
        skipped(longer)


def test_a_word_that_grew_moves_all_that_follows(vocabulary):
    for _ in range(3):
        skipped(vocabulary)
    at = vocabulary.index(pack("<Q", 3), 100_000)
    grown = vocabulary[:at] + pack("<Q", 4) + b"x" + vocabulary[at + 8 :]
    for _ in range(3):
        assert skipped(grown) == len(grown)
        assert skipped(vocabulary) == len(vocabulary)


def test_few_strings_are_not_noted(walks):
    few = pack("<Q", 1) + b"x"
    for _ in range(4):
        skipped(few * 100, 100)
    assert walks == [100] * 4


def test_only_so_much_is_kept():
    seen = Vocabularies(most_bytes=1000)
    for number in range(5):
        array = bytes([number]) * 300
        assert seen.like(9, array[:64]) is None
        assert seen.like(9, array[:64]) == ()
        seen.keep(9, (array[:100], array[100:]))
    kept = [number for number in range(5) if seen.like(9, bytes([number]) * 64)]
    assert kept == [2, 3, 4]
    seen.keep(9, (bytes(1000), b"x"))
    assert not seen.like(9, bytes(64))


def test_only_so_many_are_noted():
    seen = Vocabularies()
    for number in range(NOTES + 1):
        seen.like(number, b"head")
    assert seen.like(0, b"head") is None
    assert seen.like(NOTES, b"head") == ()


def test_a_vocabulary_that_is_too_large_is_walked_over_each_time(vocabulary, walks, monkeypatch):
    monkeypatch.setattr(strings, "KEPT_BYTES", len(vocabulary) - 1)
    for _ in range(4):
        assert skipped(vocabulary) == len(vocabulary)
    assert walks == [COUNT] * 4


def test_many_threads_at_once(vocabulary):
    ends: list[int] = []
    other = vocabulary[: len(vocabulary) // 2]
    threads = [
        threading.Thread(target=lambda data=data: ends.append(skipped(data, SMALLEST_STRINGS)))
        for data in [vocabulary, other] * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 16
    assert len(set(ends)) == 1
