"""``uml cancel``: end a job before its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.client import UniversalClient
    from uml_core.client.client import OnProgress


def command(
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="The job's id; the running one when left out.", show_default=False),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Cancel a load, for all who wait for it.

    Then it says what is loaded now.
    """
    from uml_core.cli.followed import followed
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.outcome import cancelled
    from uml_core.cli.output import say
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    job_id = job or _running(client)
    ended = followed(client, lambda take: _cancelled(client, job_id, take), what=f"the end of '{job_id}'", json=json)
    if not json:
        say(cancelled(ended, loaded=(client.active() or {}).get("model")))


def _running(client: UniversalClient) -> str:
    from uml_core.errors import NotFoundError

    for job in client.jobs():
        if not job["finished"]:
            return str(job["id"])
    raise NotFoundError("no job is running, so there is nothing to cancel; `uml jobs` lists those that have ended")


def _cancelled(client: UniversalClient, job_id: str, take: OnProgress) -> dict[str, Any]:
    """Cancel it and wait for its end.

    :raises ConflictError: it was done before it could be cancelled
    :raises UMLError: it failed, of its own or because nothing could be brought back
    """
    from uml_core.errors import ConflictError, UMLError

    job = client.cancel(job_id)
    try:
        client.follow(job, on_progress=take)
    except UMLError as error:
        if not _is_cancelled(error.job):
            raise
        return dict(error.job)
    raise ConflictError(f"job '{job_id}' was done before it could be cancelled; `uml ps` shows what is loaded now")


def _is_cancelled(job: Mapping[str, Any] | None) -> bool:
    if job is None or job["rollback_cause"]:
        return False
    return job["state"] == "cancelled" or (job["cause"] or {}).get("code") == "cancelled"
