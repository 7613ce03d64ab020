"""How far the reading of headers is, as a stage that a bar shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from attrs import frozen, mutable

from uml_core.cli.stage import Stage

RATE_AFTER_S = 0.5
"""Before, a rate would say more of chance than of the disk."""


@frozen(kw_only=True)
class ReadingStage(Stage):
    """``done`` of ``total`` models have been looked at, since ``elapsed_s``."""

    done: int
    total: int

    def facts(self, since_s: float = 0.0) -> list[str]:
        """Count, rate and time, the dispensable last."""
        passed_s = (self.elapsed_s or 0.0) + since_s
        rate = [f"{self.done / passed_s:,.0f} models/s"] if passed_s >= RATE_AFTER_S and self.done else []
        return [f"{self.done:,} of {self.total:,}", *rate, *super().facts(since_s)[1:]]


@mutable
class Reading:
    """Takes the views of a scan as they come; ``job_id`` is of the job, where it is one of a gateway."""

    job_id: str | None = None
    done: int = 0
    total: int = 0
    _model: str | None = None
    _begun_s: float = 0.0

    def take(self, job: Mapping[str, Any]) -> None:
        """The view has changed."""
        progress: Mapping[str, Any] = job.get("progress") or {}
        self._begun_s = self._begun_s or time.monotonic()
        self.job_id = job.get("id")
        self.done, self.total = progress.get("done") or 0, progress.get("total") or 0
        self._model = progress.get("model")

    def stage(self) -> ReadingStage | None:
        """Where it stands; None as long as nobody knows how much there is."""
        if not self.total:
            return None
        return ReadingStage(
            label=f"reading {self._model or 'models'}",
            part=self.done / self.total,
            elapsed_s=time.monotonic() - self._begun_s,
            done=self.done,
            total=self.total,
        )
