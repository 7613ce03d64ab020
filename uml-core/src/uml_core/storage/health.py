"""Whether rows can be written, who is told when that changes, and when it is tried again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 30.0
log = logging.getLogger(__name__)
Tell = Callable[[str, Mapping[str, Any]], None]


class Health:
    """``degraded`` is a sentence for the user, or None; ``failed`` says that the last attempt to write did not work.

    Each attempt in vain doubles the pause before the next one.
    """

    def __init__(self, tell: Tell) -> None:
        self.degraded: str | None = None
        self.failed = False
        self._tell = tell
        self._pause_s = FIRST_PAUSE_S
        self._retry_at = 0.0

    @property
    def due(self) -> bool:
        """Whether to try, when there is something to write."""
        return not self.failed or time.monotonic() >= self._retry_at

    @property
    def pause_s(self) -> float | None:
        """How long until the next attempt that nobody asks for; None: there is no need for one."""
        return max(0.0, self._retry_at - time.monotonic()) if self.degraded else None

    def bad(self, sentence: str, *, failed: bool) -> None:
        was, self.degraded, self.failed = self.degraded, sentence, failed
        self._retry_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)
        if was is None:
            log.warning("%s", sentence)
            self._tell("degraded", {"reason": sentence})

    def good(self, *, dropped: int) -> None:
        was, self.degraded, self.failed = self.degraded, None, False
        self._pause_s = FIRST_PAUSE_S
        if was is not None:
            log.warning("the database can be written again; %d rows were dropped since the start", dropped)
            self._tell("recovered", {"dropped": dropped})
