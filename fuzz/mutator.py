"""Damage files as transfers, disks and attackers do: a small fuzzer that needs nothing and always does the same."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

LONGEST = 65_536
POOL = 400
NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    10**6,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**40,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
DIGITS = re.compile(rb"-?\d+(?:\.\d+)?")
TEXT_NUMBERS = (
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 30,
    b"18446744073709551615",
    b"null",
    b"[]",
    b'"x"',
    b"true",
    b"{}",
)


class Mutator:
    """Makes inputs out of *seeds*, and goes on from those that were answered in a new way."""

    def __init__(self, seeds: Sequence[bytes], *, words: Sequence[bytes], seed: int) -> None:
        self.outcomes: set[str] = set()
        self._pool = list(seeds)
        self._words = list(words)
        self._chance = random.Random(seed)
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._flip,
            self._set,
            self._number,
            self._number,
            self._copy,
            self._cut,
            self._shorten,
            self._word,
            self._text_number,
            self._splice,
        )

    def next(self) -> bytes:
        data = bytearray(self._chance.choice(self._pool))
        for _ in range(self._chance.choice((1, 1, 1, 2, 3, 6))):
            self._chance.choice(self._ways)(data)
        return bytes(data[:LONGEST])

    def learn(self, data: bytes, outcome: str) -> None:
        if outcome not in self.outcomes:
            self.outcomes.add(outcome)
            self._pool.append(data)
            if len(self._pool) > POOL:
                del self._pool[self._chance.randrange(POOL // 2)]

    def _at(self, data: bytearray) -> int:
        """A place, more often near the start, where the lengths and counts are."""
        length = len(data)
        return min(self._chance.randrange(length), self._chance.randrange(length)) if length else 0

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] ^= 1 << self._chance.randrange(8)

    def _set(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] = self._chance.choice((0, 1, 0x7F, 0x80, 0xFF, self._chance.randrange(256)))

    def _number(self, data: bytearray) -> None:
        """Put a count or a length where one may be."""
        width, at = self._chance.choice((1, 2, 4, 8)), self._at(data)
        value = self._chance.choice((*NUMBERS, len(data), len(data) - at, self._chance.randrange(256)))
        order = self._chance.choice(("little", "little", "big"))
        data[at : at + width] = (value % 256**width).to_bytes(width, order)

    def _copy(self, data: bytearray) -> None:
        start, to = self._at(data), self._at(data)
        block = data[start : start + self._chance.choice((1, 4, 16, 64, 512))]
        times = self._chance.choice((1, 1, 1, 2, 50, 1000))
        data[to:to] = (block * times)[:LONGEST]

    def _cut(self, data: bytearray) -> None:
        at = self._at(data)
        del data[at : at + self._chance.choice((1, 2, 4, 8, 64, 1024))]

    def _shorten(self, data: bytearray) -> None:
        del data[self._chance.randrange(len(data) + 1) :]

    def _word(self, data: bytearray) -> None:
        at, word = self._at(data), self._chance.choice(self._words)
        data[at : at + self._chance.choice((0, len(word)))] = word

    def _text_number(self, data: bytearray) -> None:
        places = [match.span() for match in DIGITS.finditer(data)]
        if places:
            start, stop = self._chance.choice(places)
            data[start:stop] = self._chance.choice(TEXT_NUMBERS)

    def _splice(self, data: bytearray) -> None:
        other = self._chance.choice(self._pool)
        start = self._chance.randrange(len(other) + 1)
        data[self._at(data) :] = other[start:]
