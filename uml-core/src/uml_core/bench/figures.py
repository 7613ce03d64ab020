"""What was measured, run by run, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from attrs import define, field, frozen

from uml_core.bench.timing import Timing

FACTS = ("backend", "threads", "spin", "busy", "context_length", "parallel", "options")
SIZES = ("memory_bytes", "device_bytes")
NUMBERS = ("load_s", "first_token_s", "prompt_tokens_per_s", "decode_tokens_per_s", *SIZES)


@frozen
class Spread:
    """The median of some numbers, the least and the greatest."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread | None:
        return cls(median(numbers), min(numbers), max(numbers)) if numbers else None

    @property
    def all(self) -> tuple[float, float, float]:
        return self.middle, self.least, self.most


@define(kw_only=True)
class Figures:
    """The numbers of one way to load a model: seconds, tokens a second, bytes; one for each run that gave one."""

    backend: str
    threads: int
    spin: bool | None
    busy: bool = False
    context_length: int = 0
    parallel: int = 1
    options: dict[str, Any] = field(factory=dict)
    load_s: list[float] = field(factory=list)
    first_token_s: list[float] = field(factory=list)
    prompt_tokens_per_s: list[float] = field(factory=list)
    decode_tokens_per_s: list[float] = field(factory=list)
    memory_bytes: list[float] = field(factory=list)
    device_bytes: list[float] = field(factory=list)

    def take_answer(self, timing: Timing) -> None:
        """Count a short question's answer."""
        _append(self.first_token_s, timing.first_s)
        _append(self.decode_tokens_per_s, timing.decode_tokens_per_s)

    def take_prompt(self, timing: Timing) -> None:
        """Count how a long prompt was read."""
        _append(self.prompt_tokens_per_s, timing.prompt_tokens_per_s)

    def take_memory(self, memory_bytes: int | None, device_bytes: int | None) -> None:
        """Count what the worker held."""
        _append(self.memory_bytes, memory_bytes)
        _append(self.device_bytes, device_bytes)

    @property
    def decode(self) -> float | None:
        """Median tokens a second."""
        return median(self.decode_tokens_per_s) if self.decode_tokens_per_s else None

    def medians(self) -> dict[str, Any]:
        """The fields of a profile."""
        known = {name: median(numbers) for name in NUMBERS if (numbers := getattr(self, name))}
        sizes = {name: round(known[name]) for name in SIZES if name in known}
        facts = {name: getattr(self, name) for name in FACTS}
        return {**facts, **known, **sizes, "runs": self.runs}

    @property
    def runs(self) -> int:
        return max(1, len(self.decode_tokens_per_s))


def _append(numbers: list[float], number: float | None) -> None:
    if number is not None:
        numbers.append(number)
