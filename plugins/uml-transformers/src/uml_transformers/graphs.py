"""The steps in which each sequence gets one token, recorded as CUDA graphs: a replay costs the processor very little.

A graph has fixed numbers of sequences; what is free of them computes a token that belongs to no slot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import torch
from attrs import define

from uml_transformers.step import Step

log = logging.getLogger(__name__)
Pass = Callable[[Step, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
WARM_UPS = 2


class FixedStep(Step):
    """A step of *size* sequences with one token each, whose numbers are in tensors that a graph reads anew."""

    def __init__(self, size: int, context: int, scrap: int, device: torch.device) -> None:
        super().__init__((), context)
        self._scrap = scrap
        self.ids = torch.zeros((1, size), dtype=torch.long, device=device)
        self.picked = torch.arange(size, device=device)  # here, for a graph keeps nothing that was made before it
        self._begins = torch.arange(size + 1, dtype=torch.int32, device=device)
        self._bases = torch.zeros(size + 1, dtype=torch.int32, device=device)
        self._held = torch.ones(size, dtype=torch.int32, device=device)
        self._host = torch.zeros((5, size), dtype=torch.long, pin_memory=device.type == "cuda")
        self._moved_to = torch.zeros((5, size), dtype=torch.long, device=device)
        self.fill((), ())

    @property
    def longest(self) -> tuple[int, int]:
        return 1, self.context

    def fill(self, step: Step | tuple[()], tokens: Sequence[int]) -> None:
        """Put the numbers of *step* in, and of no slot after them; in one copy."""
        spans = step.spans if isinstance(step, Step) else ()
        free = self.ids.shape[1] - len(spans)
        numbers = (
            [*tokens, *[0] * free],
            [*(span.start for span in spans), *[0] * free],
            [*(span.slot * self.context + span.start for span in spans), *[self._scrap] * free],
            [*(span.slot * self.context for span in spans), *[self._scrap] * free],
            [*(span.end for span in spans), *[1] * free],
        )
        self._host.copy_(torch.tensor(numbers))
        self._moved_to.copy_(self._host, non_blocking=True)
        self.ids.copy_(self._moved_to[:1])
        self._bases[:-1].copy_(self._moved_to[3])
        self._held.copy_(self._moved_to[4])

    @property
    def position_ids(self) -> torch.Tensor:
        return self._moved_to[1:2]

    def places(self, _: torch.device, /) -> torch.Tensor:
        return self._moved_to[2]

    def begins(self, _: torch.device, /) -> torch.Tensor:
        return self._begins

    def bases(self, _: torch.device, /) -> torch.Tensor:
        return self._bases

    def held(self, _: torch.device, /) -> torch.Tensor:
        return self._held


@define(eq=False)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    step: FixedStep
    logits: torch.Tensor


class Graphs:
    """One graph for each of some numbers of sequences; they share their memory."""

    def __init__(self, recorded: dict[int, _Recorded]) -> None:
        self._recorded = recorded

    @classmethod
    def capture(cls, compute: Pass, device: torch.device, *, slots: int, context: int) -> Self | None:
        """Record them, the largest first; None if the model does something that can't be recorded."""
        recorded: dict[int, _Recorded] = {}
        pool = torch.cuda.graph_pool_handle()
        try:
            for size in sorted(sizes(slots), reverse=True):
                step = FixedStep(size, context, slots * context, device)
                recorded[size] = _record(compute, step, pool)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            log.warning("no CUDA graphs: %s", str(error).partition("\n")[0])
            torch.cuda.synchronize(device)
            return None
        return cls(recorded)

    def replay(self, step: Step, tokens: Sequence[int]) -> torch.Tensor:
        """The logits of *step*."""
        found = self._recorded[min(size for size in self._recorded if size >= len(tokens))]
        found.step.fill(step, tokens)
        found.graph.replay()
        return found.logits[: len(tokens)].clone()


def sizes(slots: int) -> Iterator[int]:
    """The powers of two up to *slots*, from 16 on steps of 16, and *slots*."""
    yield from {size for size in (1, 2, 4, 8) if size < slots} | set(range(16, slots, 16)) | {slots}


def _record(compute: Pass, step: FixedStep, pool: object) -> _Recorded:
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode():
        aside = torch.cuda.Stream(step.ids.device)
        aside.wait_stream(torch.cuda.current_stream(step.ids.device))
        with torch.cuda.stream(aside):  # libraries make their workspaces now, which can't be done while it's recorded
            for _ in range(WARM_UPS):
                compute(step, step.ids, step.position_ids, step.picked)
        torch.cuda.current_stream(step.ids.device).wait_stream(aside)
        with torch.cuda.graph(graph, pool=pool):
            logits = compute(step, step.ids, step.position_ids, step.picked)
    return _Recorded(graph, step, logits)
