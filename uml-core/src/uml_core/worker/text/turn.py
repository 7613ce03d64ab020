"""One answer on its way through the batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from uml_core.errors import InternalServerError, UMLError
from uml_core.worker.text.choice import Choice, Chosen
from uml_core.worker.text.constraint import Constraint
from uml_core.worker.text.slots import Slot


class Turn:
    """What an answer needs from the batch.

    ``slot.pending`` is what is to be computed before the next token, which is ``chosen`` once that is done. ``lost``
    is why it never will be.
    """

    def __init__(
        self, slot: Slot, choice: Choice, *, constraint: Constraint | None, cancelled: Callable[[], bool]
    ) -> None:
        self.slot = slot
        self.choice = choice
        self.cancelled = cancelled
        self.chosen: Chosen | None = None
        self.lost: BaseException | None = None
        self._constraint = constraint
        self._recent: deque[int] | None = None

    def penalize(self, tokens: Sequence[int], last_n: int) -> None:
        """Count the last tokens from now on, beginning with those of the prompt."""
        self._recent = deque(tokens, maxlen=None if last_n < 0 else last_n)
        self.choice.counts.update(self._recent)

    def constrain(self) -> Choice:
        """How the token is to be chosen after what is computed now."""
        try:
            self.choice.mask = self._constraint.mask() if self._constraint else None
        except UMLError as error:  # this answer's alone; the others of the step go on
            self.choice.mask, self.lost = None, error
        return self.choice

    def take(self) -> Chosen | None:
        """The token that was chosen, None while it is computed.

        :raises InternalServerError: a step failed that had a part of it, or its constraint can't be followed
        """
        if isinstance(self.lost, UMLError):
            raise self.lost
        if self.lost is not None:
            raise InternalServerError(f"the engine failed with {type(self.lost).__name__}: {self.lost}")
        chosen, self.chosen = self.chosen, None
        return chosen

    def accept(self, token: int) -> bool:
        """The answer has *token*; say whether anything may follow it.

        :raises InternalServerError: the constraint can't be followed any further
        """
        self._count(token)
        if self._constraint is None:
            return True
        self._constraint.accept(token)
        return not self._constraint.ended

    def _count(self, token: int) -> None:
        if self._recent is None or self._recent.maxlen == 0:
            return
        counts = self.choice.counts
        if len(self._recent) == self._recent.maxlen:
            oldest = self._recent[0]
            counts[oldest] -= 1
            if not counts[oldest]:
                del counts[oldest]
        self._recent.append(token)
        counts[token] += 1
