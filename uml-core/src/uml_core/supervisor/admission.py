"""Who holds a lease, who waits for one, and whose turn it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from uml_core.errors import QueueFullError, UMLError
from uml_core.settings import SupervisorSettings
from uml_core.supervisor.messages import Acquire, Lease, Waiting
from uml_core.supervisor.process import EXIT_NEWS_S


class Admission:
    """The leases of the loaded generation and the queue of those that wait.

    ``broken`` are leases of this generation whose connection broke: as likely as not the worker died of one of them.
    Requests for the loaded model go first, until somebody who waits for another one has waited ``fair_wait_s``.
    Times are the loop's.
    """

    def __init__(self, settings: SupervisorSettings) -> None:
        self.leases: dict[int, Acquire] = {}
        self.broken: list[tuple[float, Acquire]] = []
        self._settings = settings
        self._waiting: dict[int, Acquire] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        self._forget_leavers()
        return len(self._waiting)

    def enter(self, acquire: Acquire) -> None:
        """Wait at the end of the queue; one that is full refuses.

        A request whose worker died has waited before: it goes to the front.
        """
        if len(self._waiting) >= self._settings.queue_limit and len(self) >= self._settings.queue_limit:
            acquire.reply.set_exception(
                QueueFullError(
                    f"{len(self._waiting)} requests wait already, and the queue holds no more; ask again in a few "
                    "seconds, or raise `queue_limit` in [supervisor] of uml.toml",
                    retry_after_s=5,
                )
            )
            return
        number = next(self._numbers)
        if acquire.ticket.attempt > 1:
            self._waiting = {number: acquire, **self._waiting}
        else:
            self._waiting[number] = acquire

    def has_room(self) -> bool:
        return len(self.leases) < self._settings.max_requests

    def grant(self, acquire: Acquire, lease: Callable[[int, float], Lease], now_s: float) -> None:
        """Give it the lease that *lease* makes of a number and the time waited."""
        number = next(self._numbers)
        self.leases[number] = acquire
        acquire.reply.set_result(lease(number, now_s - acquire.since_s))

    def take(self, is_turn: Callable[[Acquire], bool | None]) -> Iterator[Acquire]:
        """Take out of the queue those whose turn it is, in order; None from *is_turn* ends the look."""
        self._forget_leavers()
        for number, acquire in list(self._waiting.items()):
            turn = is_turn(acquire)
            if turn is None:
                return
            if turn:
                del self._waiting[number]
                yield acquire

    def refuse(self, reason: Callable[[Acquire], UMLError | None]) -> None:
        """Tell those that there is a *reason* for, and let them go."""
        for acquire in self.take(lambda acquire: reason(acquire) is not None):
            if error := reason(acquire):
                acquire.reply.set_exception(error)

    def oldest(self, is_other: Callable[[Acquire], bool]) -> Acquire | None:
        """Who of *is_other* has waited longest."""
        others = [acquire for acquire in self._waiting.values() if not acquire.reply.done() and is_other(acquire)]
        return min(others, key=lambda acquire: acquire.since_s, default=None)

    def is_due(self, acquire: Acquire, now_s: float) -> bool:
        """Whether it has waited long enough to go before requests for the loaded model."""
        return now_s - acquire.since_s >= self._settings.fair_wait_s

    def give_back(self, number: int, *, broken: bool, now_s: float) -> Acquire | None:
        """Take a lease back; None if its generation is gone already."""
        lease = self.leases.pop(number, None)
        self.broken = [(since_s, other) for since_s, other in self.broken if now_s - since_s < EXIT_NEWS_S]
        if lease is not None and broken:
            self.broken.append((now_s, lease))
        return lease

    def is_in_doubt(self, now_s: float) -> bool:
        """Whether a connection broke so lately that the worker may be dead: who gets a lease now dies with it."""
        return any(now_s - since_s < EXIT_NEWS_S for since_s, _ in self.broken)

    def end(self) -> list[bytes]:
        """The generation is gone, and every lease with it; the fingerprints of the requests that were inside."""
        inside = [*self.leases.values(), *(lease for _, lease in self.broken)]
        self.leases.clear()
        self.broken.clear()
        return [lease.ticket.fingerprint for lease in inside if lease.ticket.fingerprint is not None]

    def revoke(self, error: UMLError) -> None:
        """Tell everybody who holds a lease; each returns it in its own time."""
        for lease in self.leases.values():
            if lease.ticket.revoke:
                lease.ticket.revoke(error)

    def count(self, is_meant: Callable[[str], bool]) -> int:
        """How many wait for a model that *is_meant*."""
        return sum(
            1 for acquire in self._waiting.values() if not acquire.reply.done() and is_meant(acquire.request.model)
        )

    def look(self, now_s: float) -> list[Waiting]:
        """The queue, for people."""
        present = [acquire for acquire in self._waiting.values() if not acquire.reply.done()]
        return [
            Waiting(
                id=acquire.ticket.id,
                model=acquire.request.model,
                task=acquire.task,
                position=position,
                waited_s=round(now_s - acquire.since_s, 3),
            )
            for position, acquire in enumerate(present, 1)
        ]

    def _forget_leavers(self) -> None:
        gone = [number for number, acquire in self._waiting.items() if acquire.reply.done()]
        for number in gone:
            del self._waiting[number]
