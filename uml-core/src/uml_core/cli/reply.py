"""An answer on its way to stdout, and what it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from attrs import frozen, mutable

from uml_core.cli.output import human_seconds, plain, say, stdout
from uml_core.cli.session import Loaded
from uml_core.cli.wrap import Wrapped
from uml_core.client import Answer


@frozen(kw_only=True)
class Cost:
    """What an answer took: tokens (None if the model didn't count), seconds to the first piece and in all."""

    tokens: int | None
    first_s: float
    total_s: float

    @property
    def tokens_per_s(self) -> float | None:
        """Decoding speed: the tokens after the first, over the time after the first."""
        rest_s = self.total_s - self.first_s
        return (self.tokens - 1) / rest_s if self.tokens and self.tokens > 1 and rest_s > 0 else None

    def as_json(self) -> dict[str, Any]:
        return {
            "completion_tokens": self.tokens,
            "time_to_first_token_s": round(self.first_s, 3),
            "seconds": round(self.total_s, 3),
            "tokens_per_second": self.tokens_per_s and round(self.tokens_per_s, 1),
        }


@mutable
class Reply:
    """One answer while it's written; an interrupt leaves in ``text`` what came so far, and no ``cost``."""

    text: str = ""
    finish_reason: str | None = None
    cost: Cost | None = None

    def receive(
        self, ask: Callable[[], Answer], *, waiting: AbstractContextManager[None], write: Callable[[str], object]
    ) -> None:
        """Hand each piece to *write* as it comes; leaving early cancels the answer in the engine.

        :param waiting: entered until the first piece is here
        """
        start_s = first_s = time.monotonic()
        with ExitStack() as shown:
            shown.enter_context(waiting)
            with ask() as answer:
                for piece in answer:
                    if not self.text:
                        first_s = time.monotonic()
                        shown.close()
                    self.text += piece
                    write(piece)
        self.finish_reason = answer.finish_reason
        self.cost = Cost(
            tokens=answer.usage.get("completion_tokens"),
            first_s=first_s - start_s,
            total_s=time.monotonic() - start_s,
        )

    def show(self, ask: Callable[[], Answer], *, waiting: AbstractContextManager[None]) -> None:
        """Write the answer to stdout: as it is, but for a person with whole words and no control characters."""
        wrapped = Wrapped(_write, lambda: stdout().width) if stdout().is_terminal else None
        try:
            self.receive(
                ask, waiting=waiting, write=lambda piece: wrapped.feed(plain(piece)) if wrapped else _write(piece)
            )
        finally:
            if wrapped:
                wrapped.end()
            if self.text and not self.text.endswith("\n"):
                _write("\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def say_cost(cost: Cost, loaded: Loaded) -> None:
    """The dim line under an answer."""
    speed = cost.tokens_per_s
    parts = [
        f"{cost.tokens} tokens" if cost.tokens is not None else "",
        f"{speed:.1f} tokens/s" if speed else "",
        f"first after {human_seconds(cost.first_s)}",
        loaded.model,
        loaded.backend,
    ]
    say(" · ".join(part for part in parts if part), style="dim")
