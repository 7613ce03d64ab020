"""What is to be measured, and how thoroughly."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from uml_core.planning.learned import Pair
from uml_core.types import LoadRequest


@frozen(kw_only=True)
class Effort:
    """How much is asked of each way to load a model: ``runs`` with answers of ``answer_tokens`` and a long prompt.

    An answer beside a busy process is cut off after ``busy_s`` seconds, any other after ``limit_s``.
    """

    runs: int = 3
    answer_tokens: int = 64
    prompt_tokens: int = 500
    busy_s: float = 10.0
    limit_s: float = 60.0

    @classmethod
    def quick(cls) -> Effort:
        """Enough to tell a hare from a tortoise."""
        return cls(runs=1, answer_tokens=32, prompt_tokens=200, busy_s=5.0)

    def within(self, context_length: int) -> Effort:
        """The same with a prompt that such a context holds, answer included."""
        room = max(16, context_length // 2)
        return evolve(
            self, prompt_tokens=min(self.prompt_tokens, room), answer_tokens=min(self.answer_tokens, room // 2)
        )


@frozen(kw_only=True)
class Scope:
    """A model, the backends to measure it with, and the threads and ways of waiting to try.

    ``usual`` is what a load takes without having learned anything; without ``pairs`` nothing is learned. Those are
    tried with the fastest backend, or with each if ``all_learn``. ``engines`` name engine and version by backend.
    """

    request: LoadRequest
    model_id: str
    model_bytes: int
    machine: str
    backends: tuple[str, ...]
    usual: Pair
    pairs: tuple[Pair, ...] = ()
    all_learn: bool = False
    effort: Effort = Effort()
    engines: Mapping[str, str] = field(factory=dict)

    @property
    def steps(self) -> int:
        """How many loads it takes in all."""
        learners = len(self.backends) if self.all_learn else 1
        return len(self.backends) * self.effort.runs + len(self.pairs) * learners
