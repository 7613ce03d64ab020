"""The sequences that the model holds: who has which, and what of an earlier one serves the next."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from uml_core.worker.text.model import TokenModel
from uml_core.worker.text.prefix import shared

WORTH_A_COPY = 32
"""How many tokens more another sequence must have in common than one's own, to be copied or waited for."""


@define(eq=False)
class Slot:
    """Room for one sequence: ``past`` is in the model, ``pending`` is still to be added by the answer that has it."""

    number: int
    past: list[int] = field(factory=list)
    pending: list[int] = field(factory=list)
    busy: bool = False
    used: int = 0


class Slots:
    """All of a model's slots."""

    def __init__(self, model: TokenModel) -> None:
        self._model = model
        self._all = [Slot(number) for number in range(model.slots)]
        self._clock = 0
        self._copies = True

    def take(self, tokens: list[int]) -> Slot | None:
        """Give a free slot that holds as much as possible of *tokens*, the rest of them pending.

        None while there is none, or while another answer is reading what this one begins with too. The last token is
        never held: its logits are needed.
        """
        free = [slot for slot in self._all if not slot.busy]
        wanted = tokens[:-1]
        if not free or self._is_being_read(wanted):
            return None
        slot = self._prepared(wanted, free)
        self._clock += 1
        slot.busy, slot.used, slot.pending = True, self._clock, tokens[len(slot.past) :]
        return slot

    def give_back(self, slot: Slot) -> None:
        """The answer is over; what its slot holds may serve another."""
        slot.busy = False
        slot.pending.clear()

    def forget(self, slot: Slot) -> None:
        """What the slot held is lost."""
        slot.past.clear()
        slot.pending.clear()
        self._model.keep(slot.number, 0)

    def _is_being_read(self, wanted: list[int]) -> bool:
        if not self._copies:
            return False
        comes = {slot.number: shared(wanted, slot.past + slot.pending) for slot in self._all if len(slot.pending) > 1}
        reader = max(comes, key=lambda number: comes[number], default=None)
        if reader is None or comes[reader] <= len(self._all[reader].past):
            return False
        held = max((shared(wanted, slot.past) for slot in self._all if slot.number != reader), default=0)
        return comes[reader] >= held + WORTH_A_COPY

    def _prepared(self, wanted: list[int], free: Sequence[Slot]) -> Slot:
        best = max(free, key=lambda slot: (shared(wanted, slot.past), -slot.used))
        own = shared(wanted, best.past)
        oldest = min(free, key=lambda slot: slot.used)
        goes_on = own * 2 >= len(best.past)  # else the better part of another conversation would be forgotten
        target = best if goes_on else oldest
        source = max(self._all, key=lambda slot: shared(wanted, slot.past))
        if self._copied(wanted, source, target):
            return target
        slot = best if own >= WORTH_A_COPY else target
        self._keep(slot, shared(wanted, slot.past))
        return slot

    def _copied(self, wanted: list[int], source: Slot, target: Slot) -> bool:
        length = shared(wanted, source.past)
        own = shared(wanted, target.past)
        if length < own + WORTH_A_COPY or (own and not self._copies):
            return False
        count = self._model.copy(source.number, target.number, length)
        target.past = wanted[:count]
        self._copies = count > 0
        return self._copies

    def _keep(self, slot: Slot, length: int) -> None:
        del slot.past[self._model.keep(slot.number, length) :]
