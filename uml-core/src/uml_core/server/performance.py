"""How fast the loaded model has been lately, as its clients saw it."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Any

LATEST = 20


class Performance:
    """Medians of the last answers of one generation; the next generation starts anew."""

    def __init__(self) -> None:
        self._generation: int | None = None
        self._forget(None)

    def _forget(self, generation: int | None) -> None:
        self._generation = generation
        self._requests = 0
        self._tokens_per_s: deque[float] = deque(maxlen=LATEST)
        self._first_token_s: deque[float] = deque(maxlen=LATEST)

    def record(
        self,
        generation: int,
        *,
        tokens: int | None = None,
        first_token_s: float | None = None,
        decoding_s: float = 0.0,
    ) -> None:
        """Count one answer.

        :param tokens: how many were made, if the engine said so
        :param first_token_s: from the worker's receipt of the request to the first part of its answer
        :param decoding_s: from there to the end
        """
        if generation != self._generation:
            self._forget(generation)
        self._requests += 1
        if first_token_s is not None:
            self._first_token_s.append(first_token_s)
        if tokens is not None and tokens > 1 and decoding_s > 0:
            self._tokens_per_s.append((tokens - 1) / decoding_s)  # the first one is prefill's

    def summary(self, generation: int) -> dict[str, Any]:
        """Requests, median tokens a second and median seconds to the first token; None where nothing is known."""
        if generation != self._generation:
            return {"requests": 0, "tokens_per_second": None, "time_to_first_token_s": None}
        return {
            "requests": self._requests,
            "tokens_per_second": round(median(self._tokens_per_s), 2) if self._tokens_per_s else None,
            "time_to_first_token_s": round(median(self._first_token_s), 4) if self._first_token_s else None,
        }
