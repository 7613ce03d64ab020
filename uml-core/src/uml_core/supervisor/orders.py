"""What people ask for: load, unload, cancel."""

from __future__ import annotations

from collections.abc import Callable

from uml_core.errors import ConflictError, NotFoundError, RequestCancelledError
from uml_core.supervisor.board import Board
from uml_core.supervisor.job import Job
from uml_core.supervisor.jobs import Jobs
from uml_core.supervisor.messages import Cancel, Load, Unload
from uml_core.supervisor.recovery import Recovery
from uml_core.types import SwitchState


class Orders:
    """Makes jobs of what is asked for, joins those that are there, and cancels them."""

    def __init__(self, jobs: Jobs, board: Board, recovery: Recovery, interrupt: Callable[[], None]) -> None:
        """Work on *jobs*.

        :param interrupt: cancels the work on the running job
        """
        self._jobs = jobs
        self._board = board
        self._recovery = recovery
        self._interrupt = interrupt

    def load(self, load: Load) -> None:
        """A model is to be loaded; what it did before is forgiven."""
        self._recovery.loaded(load.request.model)
        job = self._jobs.joinable(load.request, allow_path=load.allow_path)
        if job is None:
            job = Job("load", request=load.request, reason="a load was asked for", allow_path=load.allow_path)
            self._cut_short_restart(job)
            for replaced in self._jobs.add(job):
                self._board.end(replaced, SwitchState.CANCELLED)
            self._board.queued(job)
        job.explicit = True
        load.reply.set_result(job)

    def unload(self, unload: Unload) -> None:
        """The slot is to be empty."""
        job = next((job for job in self._jobs if job.kind == "unload" and job.generation is None), None)
        if job is None:
            job = Job("unload", reason="unload was asked for")
            self._cut_short_restart(job)
            self._jobs.add(job)
            self._board.queued(job)
        unload.reply.set_result(job)

    def cancel(self, cancel: Cancel) -> None:
        """A job is to end, for all who joined it. One that is on its way back goes that way to its end."""
        try:
            job = self._jobs.find(cancel.job_id)
        except NotFoundError as error:
            cancel.reply.set_exception(error)
            return
        if job.is_over:
            cancel.reply.set_exception(ConflictError(f"job '{job.id}' has ended already ({job.state})"))
            return
        if job.cancelled is None and job.state is not SwitchState.ROLLING_BACK:
            self._cancel(job)
        cancel.reply.set_result(job)

    def _cancel(self, job: Job) -> None:
        what = f"the load of '{job.request.model}'" if job.request else f"the {job.kind}"
        job.cancelled = RequestCancelledError(f"{what} was cancelled", retry_after_s=1)
        if self._jobs.drop(job):
            job.cause = job.cancelled
            self._board.end(job, SwitchState.CANCELLED)
        else:
            self._interrupt()

    def _cut_short_restart(self, job: Job) -> None:
        """A restart that still waits gives way to what somebody asks for; the same model only needs not wait."""
        running = self._jobs.running
        if running is None or running.kind != "restart" or running.stage != "waiting":
            return
        if job.request and running.plan and job.request.model == running.plan.model_id:
            running.hurry.set()
            return
        running.cancelled = RequestCancelledError("something else was asked for before it was restarted")
        running.quiet = True
        self._interrupt()
