"""Ask what is loaded, and time it."""

from __future__ import annotations

import time

from attrs import define, field

from uml_core.bench.prompts import Messages, Prompts
from uml_core.bench.rig import Rig
from uml_core.bench.scope import Effort
from uml_core.bench.timing import Timing, timed
from uml_core.errors import BadRequestError, InternalServerError

WARM_UP_TOKENS = 8


@define
class Questions:
    """Questions to one model; the first answer after a load should be the one of :meth:`warm_up`."""

    _rig: Rig
    _effort: Effort
    _prompts: Prompts = field(factory=Prompts)

    def warm_up(self) -> None:
        """Have it answer once: what an engine puts off until then is no part of a measurement."""
        try:
            self._ask(self._prompts.short(), tokens=WARM_UP_TOKENS, limit_s=self._effort.limit_s)
        except (BadRequestError, InternalServerError):
            if not self._prompts.with_system:
                raise
            self._prompts = Prompts(with_system=False)  # some templates refuse a system message
            self.warm_up()

    def answer(self, *, busy: bool = False) -> Timing:
        """Time a long answer to a short question."""
        limit_s = self._effort.busy_s if busy else self._effort.limit_s
        return self._ask(self._prompts.short(), tokens=self._effort.answer_tokens, limit_s=limit_s)

    def prompt(self) -> Timing:
        """Time the first token after a long prompt."""
        return self._ask(self._prompts.long(self._effort.prompt_tokens), tokens=1, limit_s=self._effort.limit_s)

    def _ask(self, messages: Messages, *, tokens: int, limit_s: float) -> Timing:
        start_s = time.monotonic()
        answer = self._rig.chat(messages, {"max_tokens": tokens, "temperature": 0})
        return timed(answer, start_s=start_s, limit_s=limit_s)
