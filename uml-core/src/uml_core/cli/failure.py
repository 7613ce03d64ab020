"""What went wrong, told to a person: the sentence, what would help, the last words, and what became of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.cli.output import plain, say, show_error
from uml_core.errors import UMLError


def tell(error: UMLError) -> None:
    """Write it to standard error."""
    show_error(plain(error.message), map(plain, error.detail))
    job = view_of(error)
    if job is None:
        return
    from uml_core.cli.outcome import aftermath

    after = aftermath(job)
    if after:
        say(plain(after))


def view_of(error: UMLError) -> Mapping[str, Any] | None:
    """The view of the job that failed; None when it was none, or never became one."""
    job = error.job
    if job is None or isinstance(job, Mapping):
        return job
    from uml_core.supervisor.views import job_view

    return job_view(job)
