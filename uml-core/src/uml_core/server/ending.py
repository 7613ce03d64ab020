"""How long the end of the gateway may take: limits that add up, and a last one that nothing outlasts."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from collections.abc import Iterator

from attrs import evolve, fields, frozen

from uml_core.settings import SupervisorSettings


@frozen(kw_only=True)
class Ending:
    """Limits in seconds, in the order in which they begin; with what is usual they are 44 in all.

    ``drain_s``: requests may be answered to their end. ``last_words_s``: those that can't are told so. ``abort_s``: who
    took nothing is cut off. ``connections_s``: the others take what was sent. ``worker_s``: its grace after TERM, KILL,
    and the proof that it is gone. ``storage_s``: the last rows are written.
    """

    drain_s: float = 24.0
    last_words_s: float = 2.0
    abort_s: float = 1.0
    connections_s: float = 2.0
    worker_s: float = 12.0
    storage_s: float = 3.0

    @classmethod
    def of(cls, settings: SupervisorSettings) -> Ending:
        """The usual limits, with a shorter time for requests if the settings say so."""
        usual = cls()
        return evolve(usual, drain_s=min(settings.drain_timeout_s, usual.drain_s))

    @property
    def total_s(self) -> float:
        """The longest that all of it may take."""
        return sum((float(getattr(self, limit.name)) for limit in fields(type(self))), start=0.0)

    def enforce(self) -> None:
        """End this process when the sum has passed, and say where it hung; worker and guard end with it.

        Nothing of Python is needed for that: not the loop, and not the lock of the interpreter.
        """
        faulthandler.dump_traceback_later(
            self.total_s, exit=True, file=sys.__stderr__ or os.open(os.devnull, os.O_WRONLY)
        )


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """What has ended within the limit is let go."""
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
