"""Somebody watches a job: as a bar on a terminal, else as a line for each stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, mutable

from uml_core.cli.output import plain, say
from uml_core.cli.plan_line import tell_plan
from uml_core.cli.progress import animated
from uml_core.cli.stage import Stage, stage_of
from uml_core.errors import UMLError

if TYPE_CHECKING:
    from uml_core.client import UniversalClient


@mutable
class Watch:
    """Takes a job's views as they come; ``job`` is the last one.

    :param lines: say each new stage in a line of its own, where no bar is shown
    """

    _client: UniversalClient
    _lines: bool = field(default=True, kw_only=True)
    job: Mapping[str, Any] | None = field(default=None, init=False)
    _said: str = field(default="", init=False)
    _told: bool = field(default=False, init=False)

    def take(self, job: Mapping[str, Any]) -> None:
        """The job's view has changed."""
        self.job = job
        self._told = self._told or tell_plan(job)
        if self._lines and not animated():
            stage = self.stage()
            if stage is not None and stage.label != self._said:
                self._said = stage.label
                say(plain(stage.label))

    def stage(self) -> Stage | None:
        """Where it stands now."""
        job = self.job
        return stage_of(job, leases=self._leases() if _drains(job) else None)

    def _leases(self) -> int | None:
        try:
            active = self._client.active()
        except UMLError:  # the count is a courtesy
            return None
        return active.get("leases") if active else None


def _drains(job: Mapping[str, Any] | None) -> bool:
    return job is not None and (job.get("progress") or {}).get("stage") == "draining"
