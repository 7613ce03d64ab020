"""A small real vocabulary, with or without marks of its own, and somebody who writes whatever a grammar allows."""

from __future__ import annotations

import random
from collections.abc import Iterable

from attrs import evolve
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from uml_core.worker.delta import Delta, ToolCallDelta
from uml_core.worker.text.grammar import Grammar
from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
from uml_core.worker.text.tokenizer import decode

END = "<|end_of_text|>"
_WORDS = ['{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}', "thinking of it, then", "\n\n", "true"]
_ENDING = set('"}]),') | {"\n", "1", END}


def make_tokenizer(template: str | None, marks: Iterable[str] = ()) -> HuggingFaceTokenizer:
    """Train one; *marks* become special tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    alphabet = ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        _WORDS * 3, BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in (END, *marks)])
    config = {"chat_template": template, "eos_token": END, "bos_token": None}
    end = tokenizer.token_to_id(END)
    size = tokenizer.get_vocab_size()
    return HuggingFaceTokenizer(tokenizer, config=config, generation={"eos_token_id": end}, n_vocab=size)


CLOSINGS = (
    "</think>",
    "\n</parameter>\n",
    "</arg_value>\n",
    "[/THINK]",
    "Here is my response:",
    "<channel|>",
    "<|end|>",
    "<|END_THINKING|>",
    '<|"|>',
    "<escape>",
)


def write(grammar: Grammar, tokenizer: HuggingFaceTokenizer, seed: int, *, begin: str = "", most: int = 3000) -> str:
    """What *grammar* allows after *begin*, chosen by chance, with a wish to come to an end."""
    chance = random.Random(seed)
    matcher = grammar.matcher(tokenizer)
    text: list[int] = []

    def add(tokens: list[int]) -> None:
        assert matcher.consume_tokens(tokens), matcher.get_error()
        text.extend(tokens)

    add(tokenizer.encode(begin, add_special=False))
    vocabulary = range(tokenizer.n_vocab)
    ending = {token for token in vocabulary if decode(tokenizer, [token]) in _ENDING}
    closings = [tokenizer.encode(closing, add_special=False) for closing in CLOSINGS]
    while not matcher.is_stopped() and len(text) < most:
        if chance.random() < 0.1:
            fitting = [closing for closing in closings if matcher.validate_tokens(closing) == len(closing)]
            add(chance.choice(fitting) if fitting else [])
        words = matcher.compute_bitmask()
        allowed = [token for token in vocabulary if words[token // 8] >> (token % 8) & 1]
        near = sorted(ending.intersection(allowed)) if len(text) > 5 and chance.random() < 0.5 else []
        token = chance.choice(near or allowed)
        if token in tokenizer.ends or (tokenizer.ends.intersection(allowed) and chance.random() < 0.3):
            break
        add([token])
    assert len(text) < most, f"no end: {decode(tokenizer, text[-100:])!r}"
    return decode(tokenizer, text)


def merged(deltas: Iterable[Delta]) -> list[ToolCallDelta]:
    """The calls as a client puts them together: id and name come first, arguments grow."""
    calls: list[ToolCallDelta] = []
    for call in (call for delta in deltas for call in delta.tool_calls):
        if call.id is not None:
            assert call.index == len(calls)
            assert call.name
            calls.append(call)
        else:
            assert call.index == len(calls) - 1
            calls[-1] = evolve(calls[-1], arguments=calls[-1].arguments + call.arguments)
    assert len({one.id for one in calls}) == len(calls)
    return calls
