"""The tokens of one answer, as its engine counted them."""

from __future__ import annotations

import re
from typing import Self

from attrs import frozen

_PROMPT = re.compile(rb'"prompt_tokens"\s*:\s*(\d{1,12})')
_COMPLETION = re.compile(rb'"completion_tokens"\s*:\s*(\d{1,12})')


@frozen
class Usage:
    """Counts of tokens; None where the engine didn't say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read the last counts in *data*; these names can't stand unescaped within a text of the model."""
        return cls(_last(_PROMPT, data), _last(_COMPLETION, data))


def _last(pattern: re.Pattern[bytes], data: bytes) -> int | None:
    found = pattern.findall(data, max(data.rfind(b'"usage"'), 0))
    return int(found[-1]) if found else None
