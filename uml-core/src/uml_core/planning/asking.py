"""Ask a plugin in a thread of its own: whatever it does, there is an answer, and soon."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait


def ask_within(seconds: float, ask: Callable[[], object], *, name: str) -> Future[object] | None:
    """The answer of *ask* or what it raised; None if there is none in time.

    One that takes too long is left behind, for no thread can be ended from outside.
    """
    answer: Future[object] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - SystemExit too is only this one's answer
            answer.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer if wait([answer], seconds).done else None
