"""What went wrong, told to a person: the sentence, what would help, the last words, and what became of the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from uml_core.cli.output import plain, say, show_error
from uml_core.errors import UMLError

if TYPE_CHECKING:
    from uml_core.client import UniversalClient


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
    """The view of the job that failed; None when it was none, never became one, or is not told in full."""
    job = error.job
    if isinstance(job, Mapping):
        return job if "kind" in job else None
    if job is None:
        return None
    from uml_core.supervisor.views import job_view

    return job_view(job)


@contextlib.contextmanager
def knowing_what_stays(client: UniversalClient) -> Iterator[None]:
    """A load that fails in the block before it evicts anything knows of no model before it: say which one that is."""
    try:
        yield
    except UMLError as error:
        job = view_of(error)
        if job is not None and job["kind"] == "load" and not job["previous"]:
            with contextlib.suppress(UMLError):  # what failed is what counts
                error.job = {**job, "previous": (client.active() or {}).get("model")}
        raise
