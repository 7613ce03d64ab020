"""A kill, and how long it took until somebody had an answer again."""

from __future__ import annotations

from time import monotonic

from attrs import define, field

from proving.client import Told


@define(eq=False)
class Strike:
    """One `kill -9` of the ``worker`` or the ``gateway``, while a worker of *generation* was there.

    Times are monotonic seconds; ``ready_s`` is when the next gateway took requests, ``recovered_s`` when the first
    token of a new worker came; ``overtaken`` means that the next strike came before that. ``buried_s`` is how long
    processes of the killed one lived on; ``orphans`` are those that did for over 2 s.
    """

    target: str
    generation: int
    moment: str = "answering"
    at_s: float = field(factory=monotonic)
    ready_s: float | None = None
    recovered_s: float | None = None
    overtaken: bool = False
    buried_s: float = 0.0
    orphans: tuple[int, ...] = ()

    def see(self, told: Told) -> None:
        """Something of an answer came: if it is from a worker that was started since, this strike is over."""
        since = told.generation > self.generation if told.generation else told.began_s > self.at_s
        if since and self.recovered_s is None and not self.overtaken:
            self.recovered_s = monotonic()

    @property
    def recovery_s(self) -> float | None:
        """From the kill to the first token of a new worker; None when none came."""
        return None if self.recovered_s is None else self.recovered_s - self.at_s

    def covers(self, told: Told) -> bool:
        """Whether that request was on its way while no gateway was there."""
        if self.target != "gateway":
            return False
        return told.began_s <= (self.ready_s or float("inf")) and told.ended_s >= self.at_s

    def outlived_by(self, told: Told) -> bool:
        """Whether that request, asked later, was answered by the worker that was killed, or by an older one."""
        return told.began_s > self.at_s and told.generation is not None and told.generation <= self.generation
