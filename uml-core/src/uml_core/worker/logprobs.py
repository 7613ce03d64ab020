"""How likely each token was, in the two forms that OpenAI has for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from uml_core.worker.delta import TokenLogprob, TopLogprob

LEAST = -9999.0
"""What OpenAI writes for the logarithm of nothing; JSON has no infinity."""


def of_chat(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    """``logprobs`` of a chat's choice."""
    return {
        "content": [{**_one(token), "top_logprobs": [_one(likely) for likely in token.top]} for token in tokens],
        "refusal": None,
    }


def of_completion(tokens: Sequence[TokenLogprob], start: int) -> dict[str, Any]:
    """``logprobs`` of a completion's choice, of which *start* characters were told of before."""
    likely = [{token.token: _finite(token.logprob) for token in each.top} for each in tokens]
    offsets = list(accumulate((len(token.token) for token in tokens), initial=start))
    return {
        "tokens": [token.token for token in tokens],
        "token_logprobs": [_finite(token.logprob) for token in tokens],
        "top_logprobs": likely if any(likely) else None,
        "text_offset": offsets[:-1],
    }


def _one(token: TopLogprob) -> dict[str, Any]:
    return {"token": token.token, "logprob": _finite(token.logprob), "bytes": list(token.bytes)}


def _finite(logprob: float) -> float:
    return max(logprob, LEAST) if math.isfinite(logprob) else LEAST
