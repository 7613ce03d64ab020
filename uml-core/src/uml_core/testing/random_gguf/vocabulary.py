"""A vocabulary of byte pairs of any size, which llama.cpp really splits text with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, product

NORMAL, CONTROL = 1, 3
PLAIN = (*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1))
END = "<|end|>"


def vocabulary(size: int) -> dict[str, object]:
    """The metadata of a tokenizer of *size* tokens: one that ends a text, the 256 bytes, then pairs and triples."""
    bytes_ = _bytes()
    if not len(bytes_) < size <= len(bytes_) ** 3:
        raise ValueError(f"a vocabulary has more than {len(bytes_)} tokens, not {size}")
    merges = list(islice(_merges(bytes_), size - len(bytes_) - 1))
    tokens = [END, *bytes_, *("".join(merge) for merge in merges)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [CONTROL] + [NORMAL] * (size - 1),
        "tokenizer.ggml.merges": [" ".join(merge) for merge in merges] or [f"{bytes_[0]} {bytes_[0]}"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
    }


def _bytes() -> list[str]:
    """A character for each byte; those that can't be seen are numbered from 256 on, as GPT-2 has it."""
    hidden = {byte: chr(256 + number) for number, byte in enumerate(byte for byte in range(256) if byte not in PLAIN)}
    return [hidden.get(byte, chr(byte)) for byte in range(256)]


def _merges(bytes_: list[str]) -> Iterator[tuple[str, str]]:
    """All pairs, those of small letters first, then each pair with one more."""
    letters_first = sorted(bytes_, key=lambda one: not "a" <= one <= "z")
    places = sorted(product(range(len(bytes_)), repeat=2), key=max)
    pairs = [(letters_first[one], letters_first[two]) for one, two in places]
    return chain(pairs, (("".join(pair), one) for pair, one in product(pairs, letters_first)))
