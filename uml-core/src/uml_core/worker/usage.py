"""What an answer has cost, in tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from uml_core.worker.transcript import Finish


def usage(finishes: Sequence[Collection[Finish]]) -> dict[str, Any]:
    """OpenAI's object for one request: the answers to each of its prompts, each of which counts once."""
    each = [finish for answers in finishes for finish in answers]
    prompt = sum(max(finish.prompt_tokens for finish in answers) for answers in finishes)
    completion = sum(finish.completion_tokens for finish in each)
    body: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    cached = [found for answers in finishes if (found := _cached(answers)) is not None]
    thought = [finish.reasoning_tokens for finish in each if finish.reasoning_tokens is not None]
    if cached:
        body["prompt_tokens_details"] = {"cached_tokens": sum(cached)}
    if thought:
        body["completion_tokens_details"] = {"reasoning_tokens": sum(thought)}
    return body


def _cached(answers: Collection[Finish]) -> int | None:
    """What the answer had that had to compute most: the others may have the prompt from it."""
    return min((finish.cached_tokens for finish in answers if finish.cached_tokens is not None), default=None)
