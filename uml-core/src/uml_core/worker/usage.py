"""What an answer has cost, in tokens."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from uml_core.worker.transcript import Finish


def usage(finishes: Collection[Finish]) -> dict[str, Any]:
    """OpenAI's object for all answers to one request, whose prompt counts once."""
    prompt = max(finish.prompt_tokens for finish in finishes)
    completion = sum(finish.completion_tokens for finish in finishes)
    body: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    cached = [finish.cached_tokens for finish in finishes if finish.cached_tokens is not None]
    thought = [finish.reasoning_tokens for finish in finishes if finish.reasoning_tokens is not None]
    if cached:  # of the answer that had to compute most: the others may have the prompt from it
        body["prompt_tokens_details"] = {"cached_tokens": min(cached)}
    if thought:
        body["completion_tokens_details"] = {"reasoning_tokens": sum(thought)}
    return body
