"""One step of several sequences, laid out as the tokens of one: what each token's place in the cache is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import torch
from attrs import define, field, frozen

from uml_core.worker.text import Row


class Cancelled(Exception):
    """Nobody waits for the step any more."""


@frozen
class Span:
    """The tokens *first* to before *last* of a step go to *slot*, which holds *start* tokens before, then *end*."""

    slot: int
    start: int
    end: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first


@define(eq=False, slots=False)
class Step:
    """What the attention has to know of a step. ``cancelled`` is asked in each layer, None where that can't help."""

    spans: tuple[Span, ...]
    context: int
    cancelled: Callable[[], bool] | None = None
    _moved: dict[tuple[str, torch.device], torch.Tensor] = field(factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row], context: int, cancelled: Callable[[], bool] | None = None) -> Step:
        """Lay *rows* out one after the other, in slots of *context* tokens."""
        return cls.of_spans(((row.slot, row.start, row.start + len(row.tokens)) for row in rows), context, cancelled)

    @classmethod
    def of_spans(
        cls, spans: Iterable[tuple[int, int, int]], context: int, cancelled: Callable[[], bool] | None = None
    ) -> Step:
        """The same for slots, each with the tokens before and after the step."""
        laid, first = [], 0
        for slot, start, end in spans:
            laid.append(Span(slot, start, end, first, first := first + end - start))
        return cls(tuple(laid), context, cancelled)

    @cached_property
    def positions(self) -> list[int]:
        """Where in its own sequence each token stands."""
        return [place for span in self.spans for place in range(span.start, span.end)]

    @cached_property
    def longest(self) -> tuple[int, int]:
        """The most tokens that one sequence gets, and has then."""
        return max(span.count for span in self.spans), max(span.end for span in self.spans)

    @cached_property
    def single(self) -> bool:
        """Whether each sequence gets one token."""
        return all(span.count == 1 for span in self.spans)

    def places(self, device: torch.device, /) -> torch.Tensor:
        """Each token's place in a cache whose slots lie one after the other."""
        return self._on(device, "places", self._places, torch.long)

    def begins(self, device: torch.device, /) -> torch.Tensor:
        """Where each sequence's tokens begin in this step, and where the last ones end."""
        return self._on(device, "begins", lambda: [0, *(span.last for span in self.spans)], torch.int32)

    def bases(self, device: torch.device, /) -> torch.Tensor:
        """Where each sequence's slot begins in such a cache; the last entry is there only for its number."""
        bases = [span.slot * self.context for span in self.spans]
        return self._on(device, "bases", lambda: [*bases, bases[-1] + self.context], torch.int32)

    def held(self, device: torch.device, /) -> torch.Tensor:
        """How many tokens each sequence has with this step."""
        return self._on(device, "held", lambda: [span.end for span in self.spans], torch.int32)

    def _places(self) -> list[int]:
        return [span.slot * self.context + place for span in self.spans for place in range(span.start, span.end)]

    def _on(self, device: torch.device, name: str, values: Callable[[], list[int]], dtype: torch.dtype) -> torch.Tensor:
        """A tensor of *values*, made once a device and not once a layer."""
        if (found := self._moved.get((name, device))) is None:
            found = self._moved[name, device] = torch.tensor(values(), dtype=dtype).to(device, non_blocking=True)
        return found
