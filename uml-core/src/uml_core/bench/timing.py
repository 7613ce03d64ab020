"""One answer, timed as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from uml_core.client import Answer


@frozen(kw_only=True)
class Timing:
    """When its pieces came, in seconds since it was asked for; ``tokens`` were made, of ``prompt_tokens`` read anew.

    ``first_s`` is None if there was no text: a model may think only. ``cut`` says that it was not waited for its end.
    """

    first_s: float | None
    last_s: float
    tokens: int
    prompt_tokens: int | None
    cut: bool = False

    @property
    def decode_tokens_per_s(self) -> float | None:
        """The tokens after the first, over the time after the first; over all of it where that is all that is known."""
        if self.first_s is None or (self.cut and self.tokens == 1):
            return self.tokens / self.last_s if self.tokens and self.last_s > 0 else None
        rest_s = self.last_s - self.first_s
        return (self.tokens - 1) / rest_s if self.tokens > 1 and rest_s > 0 else None

    @property
    def prompt_tokens_per_s(self) -> float | None:
        """How fast the prompt was read."""
        until_s = self.first_s if self.first_s is not None else self.last_s
        return self.prompt_tokens / until_s if self.prompt_tokens and until_s > 0 else None


def timed(answer: Answer, *, start_s: float, limit_s: float) -> Timing:
    """Read *answer* to its end, or until *limit_s* is over; then it's cancelled, and its pieces count as tokens.

    :param start_s: when it was asked for, by the monotonic clock
    """
    pieces, first_s, last_s = 0, None, 0.0
    with answer:
        for _ in answer:
            last_s = time.monotonic() - start_s
            first_s = last_s if first_s is None else first_s
            pieces += 1
            if last_s > limit_s:
                return Timing(first_s=first_s, last_s=last_s, tokens=pieces, prompt_tokens=None, cut=True)
    usage = answer.usage
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    prompt_tokens = usage.get("prompt_tokens")
    return Timing(
        first_s=first_s,
        last_s=last_s if first_s is not None else time.monotonic() - start_s,
        tokens=usage.get("completion_tokens") or pieces,
        prompt_tokens=prompt_tokens - cached if prompt_tokens else None,
    )
