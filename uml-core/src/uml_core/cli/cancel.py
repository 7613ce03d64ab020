"""``uml cancel``: end a job before its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.client import UniversalClient


def command(
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="The job's id; the running one when left out.", show_default=False),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Cancel a load, for all who wait for it.

    The model before comes back if it was gone already; then it says what is loaded.
    """
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.outcome import cancelled
    from uml_core.cli.output import print_json, say
    from uml_core.cli.progress import progress
    from uml_core.cli.stage import stage_of
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    job_id = job or _running(client)
    with progress(lambda: stage_of(client.job(job_id)), label=f"cancelling {job_id}"):
        ended = _end_of(client, client.cancel(job_id))
    if json:
        print_json(ended)
    else:
        say(cancelled(ended, loaded=(client.active() or {}).get("model")))


def _running(client: UniversalClient) -> str:
    from uml_core.errors import NotFoundError

    running = [job for job in client.jobs() if not job["finished"]]
    for job in sorted(running, key=lambda job: bool(job["kind"] == "scan")):  # a scan may have begun by itself
        return str(job["id"])
    raise NotFoundError("no job is running, so there is nothing to cancel; `uml jobs` lists those that have ended")


def _end_of(client: UniversalClient, job: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the job that was told to end has ended.

    :raises ConflictError: it was done before it could be cancelled
    :raises UMLError: it failed, of its own or because nothing could be brought back
    """
    from uml_core.errors import ConflictError, UMLError

    try:
        client.follow(job)
    except UMLError as error:
        if error.job and _is_cancelled(error.job):
            return dict(error.job)
        raise
    raise ConflictError(f"job '{job['id']}' was done before it could be cancelled; `uml ps` shows what is loaded now")


def _is_cancelled(job: Mapping[str, Any]) -> bool:
    cause = job["cause"] or {}
    return not job["rollback_cause"] and (job["state"] == "cancelled" or cause.get("code") == "cancelled")
