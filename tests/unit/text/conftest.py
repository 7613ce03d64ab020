"""A model in numpy whose next token depends on every token before it, and tokenizers made here."""

from collections import deque

import numpy as np
import pytest

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

from uml_core.types import ModelSource, Plan  # noqa: E402
from uml_core.worker.text import HuggingFaceTokenizer, TextEngine  # noqa: E402

TEXT = 'the quick brown fox jumps over the lazy dog and then it says that numbers are 1 2 3 4 5 6 7 8 9 0 {}[]":,'


def byte_level(size=320):
    """All bytes, some merges, and two special tokens: 0 begins a text, 1 ends it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [TEXT] * 3, trainers.BpeTrainer(vocab_size=size, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    )
    return made


@pytest.fixture(scope="session")
def tokenizer():
    return HuggingFaceTokenizer(byte_level(), config={"eos_token": "</s>"}, generation={}, n_vocab=320)


class Dice:
    """A TokenModel: the logits after a sequence are random numbers with the sequence as their seed.

    It fails the test where the text layer breaks a rule of the interface. ``script`` is what it wants to say instead.
    """

    def __init__(self, tokenizer, *, slots=1, context_length=200, batch=16, copies=True, rewinds=True, script=()):
        self.tokenizer, self.slots, self.context_length, self.batch = tokenizer, slots, context_length, batch
        self.copies, self.rewinds, self.script = copies, rewinds, deque(script)
        self.held = [[] for _ in range(slots)]
        self.steps, self.fails, self.closed = [], deque(), False

    def forward(self, rows, cancelled):
        assert rows
        assert len({row.slot for row in rows}) == len(rows)
        assert sum(len(row.tokens) for row in rows) <= self.batch
        self.steps.append(rows)
        if self.fails and (failure := self.fails.popleft()):
            raise failure
        if cancelled():
            return None
        for row in rows:
            assert row.tokens
            assert row.start == len(self.held[row.slot])
            self.held[row.slot] += row.tokens
            assert len(self.held[row.slot]) <= self.context_length
        wanted = [self.after(self.held[row.slot]) for row in rows if row.wanted]
        return np.stack(wanted) if wanted else np.zeros((0, self.tokenizer.n_vocab), np.float32)

    def after(self, tokens):
        """The logits: an end once in a while."""
        seed = np.frombuffer(np.array(tokens, np.int32).tobytes(), np.uint8)
        logits = np.random.default_rng(seed).normal(0, 3, self.tokenizer.n_vocab).astype(np.float32)
        if self.script:
            logits[self.script.popleft()] = 100.0
        return logits

    def keep(self, slot, length):
        assert length <= len(self.held[slot])
        kept = length if self.rewinds or length == len(self.held[slot]) else 0
        del self.held[slot][kept:]
        return kept

    def copy(self, source, target, length):
        assert source != target
        self.held[target] = self.held[source][:length] if self.copies else []
        return len(self.held[target])

    def close(self):
        self.closed = True

    def says(self, prompt, most):
        """What it says greedily, computed without any of the text layer."""
        tokens, said = self.tokenizer.encode(prompt, add_special=True), []
        while len(said) < most and (token := int(self.after([*tokens, *said]).argmax())) not in self.tokenizer.ends:
            said.append(token)
        return b"".join(self.tokenizer.piece(token) for token in said).decode("utf-8", "replace")


@pytest.fixture
def make(tokenizer):
    """Make an engine around a :class:`Dice`."""
    engines = []

    def made(**how):
        source = ModelSource(path="m", format="gguf", files=(), size_bytes=0)
        model = Dice(tokenizer, **how)
        plan = Plan(model_id="m", model=source, backend="x", tasks=(), context_length=model.context_length)
        engines.append(TextEngine(model, plan))
        return engines[-1], model

    yield made
    for engine in engines:
        engine.close()
