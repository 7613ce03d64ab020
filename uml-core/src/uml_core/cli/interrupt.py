"""What a signal does to ``uml run``: it ends in order, and a second one ends it at once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

ENDS = (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ends_in_order() -> Iterator[None]:
    """TERM and HUP leave through every ``finally``, as Ctrl-C does; the exit code is the shell's, 128 + signal."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handled(leave, *ENDS):
        yield


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """A signal now kills this process on the spot; the guard then kills the engine, so nothing is left either way."""
    with _handled(signal.SIG_DFL, *ENDS, signal.SIGINT):
        yield


@contextlib.contextmanager
def _handled(handler: signal._HANDLER, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
