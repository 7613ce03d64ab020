"""How likely each token was, in the two shapes that OpenAI has for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

LIKELY = -0.25
"""The logprob of every token of a worker that is well."""


def logprobs(tokens: Sequence[str], body: dict[str, Any], *, chat: bool, value: float | None) -> dict[str, Any]:
    """The field ``logprobs`` of a choice, or nothing when the request did not ask for it."""
    asked = body.get("logprobs")
    if asked is None or asked is False:
        return {}
    return {"logprobs": of_chat(tokens, body, value) if chat else of_text(tokens, int(asked), value)}


def of_chat(tokens: Sequence[str], body: dict[str, Any], value: float | None) -> dict[str, Any]:
    """``logprobs: true`` of chat completions; ``top_logprobs`` says how many alternatives, of which there is one."""
    said = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token in tokens]
    return {"content": [{**one, "top_logprobs": [one][: body.get("top_logprobs") or 0]} for one in said]}


def of_text(tokens: Sequence[str], alternatives: int, value: float | None) -> dict[str, Any]:
    """``logprobs: N`` of text completions."""
    offsets = accumulate((len(token) for token in tokens), initial=0)
    return {
        "tokens": list(tokens),
        "token_logprobs": [value for _ in tokens],
        "top_logprobs": [{token: value} for token in tokens] if alternatives else None,
        "text_offset": [offset for offset, _ in zip(offsets, tokens, strict=False)],
    }
