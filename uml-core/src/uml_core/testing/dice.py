"""A model of nothing but dice, whose every token depends on all before it: for tests of what is around a model.

Where two sequences are mixed up, a token is forgotten or one is computed twice, it says something else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from uml_core.worker.text import HuggingFaceTokenizer, Row

WORDS = 320
_TEXT = 'the quick brown fox jumps over the lazy dog and then it says that numbers are 1 2 3 4 5 6 7 8 9 0 {}[]":,'


def dice_tokenizer(**config: Any) -> HuggingFaceTokenizer:
    """All bytes, some pairs of them, and two special tokens: 0 begins a text, 1 ends it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([_TEXT] * 3, trainer)
    return HuggingFaceTokenizer(made, config={"eos_token": "</s>", **config}, generation={}, n_vocab=WORDS)


class Dice:
    """A :class:`~uml_core.worker.text.TokenModel` that asserts what the text layer promises.

    ``script`` is what it would rather say, ``fails`` has the exceptions of its next steps, None for one that works.
    ``copies`` and ``rewinds`` say whether it can copy a sequence, and forget the end of one. ``steps`` keeps all rows.
    """

    def __init__(
        self,
        tokenizer: HuggingFaceTokenizer,
        *,
        slots: int = 1,
        context_length: int = 200,
        batch: int = 16,
        copies: bool = True,
        rewinds: bool = True,
    ) -> None:
        self.tokenizer = tokenizer
        self.slots, self.context_length, self.batch = slots, context_length, batch
        self.copies, self.rewinds = copies, rewinds
        self.held: list[list[int]] = [[] for _ in range(slots)]
        self.steps: list[Sequence[Row]] = []
        self.script: deque[int] = deque()
        self.fails: deque[Exception | None] = deque()
        self.closed = False

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> NDArray[np.float32] | None:
        """Add the tokens, if the rows are as they must be."""
        self._check(rows)
        self.steps.append(rows)
        if self.fails and (failure := self.fails.popleft()) is not None:
            raise failure
        if cancelled():
            return None
        for row in rows:
            self.held[row.slot] += row.tokens
        wanted = [self.after(self.held[row.slot]) for row in rows if row.wanted]
        return np.stack(wanted) if wanted else np.zeros((0, self.tokenizer.n_vocab), np.float32)

    def after(self, tokens: Iterable[int]) -> NDArray[np.float32]:
        """The logits after *tokens*, which are the seed of the dice."""
        seed = np.array(list(tokens), np.uint32)
        logits = np.random.default_rng(seed).normal(0, 3, self.tokenizer.n_vocab).astype(np.float32)
        if self.script:
            logits[self.script.popleft()] = 100.0
        return logits

    def keep(self, slot: int, length: int) -> int:
        """Forget the end, if it can."""
        assert length <= len(self.held[slot]), "no sequence grows by being cut"
        kept = length if self.rewinds or length == len(self.held[slot]) else 0
        del self.held[slot][kept:]
        return kept

    def copy(self, source: int, target: int, length: int) -> int:
        """Copy, if it can."""
        assert source != target, "a sequence needs no copy of itself"
        self.held[target] = self.held[source][:length] if self.copies else []
        return len(self.held[target])

    def close(self) -> None:
        self.closed = True

    def says(self, prompt: str, most: int) -> str:
        """What it says greedily, computed without any of the text layer."""
        tokens, said = self.tokenizer.encode(prompt, add_special=True), list[int]()
        while len(said) < most and (token := int(self.after([*tokens, *said]).argmax())) not in self.tokenizer.ends:
            said.append(token)
        return b"".join(self.tokenizer.piece(token) for token in said).decode("utf-8", "replace")

    def _check(self, rows: Sequence[Row]) -> None:
        assert rows, "a step has something to compute"
        assert len({row.slot for row in rows}) == len(rows), "each slot has one row at most"
        assert sum(len(row.tokens) for row in rows) <= self.batch, "a step is no longer than the model's batch"
        for row in rows:
            assert row.tokens, "a row has tokens"
            assert row.start == len(self.held[row.slot]), "a row begins where its sequence ends"
            assert row.start + len(row.tokens) <= self.context_length, "a sequence has room in the context"
