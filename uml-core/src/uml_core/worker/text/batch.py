"""Several answers computed together: their tokens and pieces of their prompts in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from uml_core.worker.text.choice import Sampler
from uml_core.worker.text.model import Row, TokenModel
from uml_core.worker.text.slots import Slots
from uml_core.worker.text.turn import Turn

Shares: TypeAlias = Sequence[tuple[Turn, Row]]


class Batch:
    """The answers that are going on."""

    def __init__(self, model: TokenModel, sampler: Sampler, slots: Slots) -> None:
        self._model, self._sampler, self._slots = model, sampler, slots
        self._turns: list[Turn] = []

    def add(self, turn: Turn) -> None:
        self._turns.append(turn)

    def remove(self, turn: Turn) -> None:
        self._turns.remove(turn)

    def step(self) -> None:
        """Compute what is pending, as much as one step takes, and choose where a token is wanted.

        :raises Exception: the step failed; what its answers had computed is lost
        """
        shares = self._shares()
        if not shares:
            return
        try:
            self._compute(shares)
        except BaseException as error:
            for turn, _ in shares:  # one of them may wait for its reader, and isn't told by serve
                turn.lost = error
                self._slots.forget(turn.slot)
            raise

    def _compute(self, shares: Shares) -> None:
        logits = self._model.forward([row for _, row in shares], _all_cancelled(shares))
        if logits is None:
            return
        for turn, row in shares:
            turn.slot.past += row.tokens
            del turn.slot.pending[: len(row.tokens)]
        wanting = [turn for turn, row in shares if row.wanted]
        if wanting:
            chosen = self._sampler.choose(logits, [turn.constrain() for turn in wanting])
            for turn, token in zip(wanting, chosen, strict=True):
                turn.chosen = token

    def _shares(self) -> Shares:
        """Who gets how many tokens of the step: single tokens first, then prompts, who came first first."""
        shares, room = [], self._model.batch
        for turn in sorted(self._turns, key=lambda turn: len(turn.slot.pending) > 1):
            slot = turn.slot
            tokens = slot.pending[:room]
            if tokens:
                shares.append((turn, Row(slot.number, len(slot.past), tokens, len(tokens) == len(slot.pending))))
                room -= len(tokens)
        if room == 0 and all(len(row.tokens) == 1 for _, row in shares):
            self._let_others_come_first([turn for turn, _ in shares])
        return shares

    def _let_others_come_first(self, served: Sequence[Turn]) -> None:
        """Where a step has not even a token for each, they take turns."""
        self._turns = [turn for turn in self._turns if turn not in served] + list(served)


def _all_cancelled(shares: Shares) -> Callable[[], bool]:
    return lambda: all(turn.cancelled() for turn, _ in shares)
