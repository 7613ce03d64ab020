"""The bytes of each token of a vocabulary that Hugging Face's tokenizers read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "\u2581"


def find_bytes(tokenizer: Tokenizer) -> Callable[[str], bytes]:
    """How this vocabulary writes bytes as text: byte by byte as GPT-2 does, or as SentencePiece does."""
    decoder = json.loads(tokenizer.decoder.__getstate__()) if tokenizer.decoder else {}
    parts = list(_parts(decoder))
    if any(part["type"] == "ByteLevel" for part in parts):
        return _of_byte_level
    if any(part["type"] == "WordPiece" for part in parts):
        return lambda text: text.removeprefix("##").encode() if text.startswith("##") else f" {text}".encode()
    return _of_sentence_piece


def _parts(decoder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if decoder:
        yield decoder
    for part in decoder.get("decoders", ()):
        yield from _parts(part)


def _of_byte_level(text: str) -> bytes:
    try:
        return bytes(_NUMBERS[character] for character in text)
    except KeyError:  # an added token is written as it is
        return text.encode()


def _of_sentence_piece(text: str) -> bytes:
    if byte := _BYTE.fullmatch(text):
        return bytes([int(byte[1], 16)])
    return text.replace(_SPACE, " ").encode()


def _numbers() -> dict[str, int]:
    """GPT-2's alphabet: bytes that are printable stand for themselves, the others for characters from 256 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}


_NUMBERS = _numbers()
