"""The engine, which for you is somebody's library: it goes on with a text as another text does."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_DONE = 0.4


class Chain:
    """For every run of up to *order* words, the words that follow it in the file."""

    def __init__(self, path: Path, *, order: int, progress: Callable[[float], None]) -> None:
        self.order = order
        self.followers: dict[tuple[str, ...], list[str]] = defaultdict(list)
        _, *words = path.read_text("utf-8").split()
        for at, word in enumerate(words):
            for length in range(min(order, at) + 1):
                self.followers[tuple(words[at - length : at])].append(word)
            progress((at + 1) / len(words))

    def go_on(self, words: Sequence[str], *, count: int, seed: int | None) -> Iterator[str]:
        """Give up to *count* more words, the same ones for the same seed; after a full stop it may be done."""
        chance, past = random.Random(seed), list(words)  # noqa: S311 - words, no secrets
        for _ in range(count):
            runs = (tuple(past[len(past) - length :]) for length in range(min(self.order, len(past)), -1, -1))
            word = chance.choice(next(self.followers[run] for run in runs if run in self.followers))
            past.append(word)
            yield f"{word} "
            if word.endswith(".") and chance.random() < _DONE:
                return
