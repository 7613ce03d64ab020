"""The jobs of both kinds under one roof: those of the slot, and scans of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uml_core.server.scan_job import scan_view
from uml_core.server.scans import Scans
from uml_core.supervisor.views import job_view

if TYPE_CHECKING:
    from uml_core.supervisor import Supervisor

View = dict[str, Any]


class Work:
    """Finds a job by its id, whichever kind it is."""

    def __init__(self, supervisor: Supervisor, scans: Scans) -> None:
        self._supervisor = supervisor
        self._scans = scans

    def views(self) -> list[View]:
        """What is under way in its order, then what has ended, newest first."""
        views = [*map(job_view, self._supervisor.jobs()), *map(scan_view, self._scans.all)]
        ended = sorted(
            (view for view in views if view["finished"]), key=lambda view: str(view["finished"]), reverse=True
        )
        return [*(view for view in views if not view["finished"]), *ended]

    def view(self, job_id: str) -> View:
        """One job as it is now.

        :raises NotFoundError: there is no such job
        """
        scan = self._scans.find(job_id)
        return job_view(self._supervisor.job(job_id)) if scan is None else scan_view(scan)

    def kind(self, job_id: str) -> str:
        """The kind of the events that tell of it.

        :raises NotFoundError: there is no such job
        """
        if self._scans.find(job_id) is not None:
            return "scan"
        self._supervisor.job(job_id)
        return "job"

    async def cancel(self, job_id: str) -> View:
        """Cancel one, for all who wait for it, and wait for its end.

        :raises NotFoundError: there is no such job
        :raises ConflictError: it has ended already
        """
        scan = self._scans.find(job_id)
        if scan is None:
            return job_view(await self._supervisor.cancel(job_id))
        await self._scans.cancel(scan)
        return scan_view(scan)
