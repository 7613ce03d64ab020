"""Follow a job to its end, as a person at a terminal would want it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from uml_core.cli.failure import knowing_what_stays
from uml_core.cli.interrupt import impatient
from uml_core.cli.output import print_json, say
from uml_core.cli.progress import progress
from uml_core.cli.watch import Watch
from uml_core.errors import UMLError

if TYPE_CHECKING:
    from uml_core.client import UniversalClient
    from uml_core.client.client import OnProgress


def followed(
    client: UniversalClient, order: Callable[[OnProgress], dict[str, Any]], *, what: str, json: bool
) -> dict[str, Any]:
    """Give the order and show how far it is; the view of its end.

    :param order: begins the job and follows it
    :param what: what it is, for a sentence: ``the load of 'X'``
    :param json: write the view to standard output, also that of a job that failed
    :raises UMLError: what the order raises
    """
    watch = Watch(client)
    try:
        with goes_on(watch, what), knowing_what_stays(client), progress(watch.stage, label=f"beginning {what}"):
            job = order(watch.take)
    except UMLError as error:
        if json and error.job:
            print_json(error.job)
        raise
    if json:
        print_json(job)
    return job


def begun(job: Mapping[str, Any], *, what: str, json: bool) -> None:
    """Say how to follow a job that nobody waits for; its id is the result."""
    if json:
        print_json(job)
    else:
        typer.echo(job["id"])
    if not job["finished"]:
        say(f"{what} has begun; {_ways(job)}", style="dim")


@contextlib.contextmanager
def goes_on(watch: Watch, what: str) -> Iterator[None]:
    """Ctrl-C ends the watching, never the job, and that is said; a second one meanwhile ends this process at once."""
    try:
        yield
    except KeyboardInterrupt:
        with impatient():
            known = f"{what} goes on; {_ways(watch.job)}" if watch.job else f"`uml jobs` says whether {what} has begun"
            say(known)
        raise


def _ways(job: Mapping[str, Any]) -> str:
    return f"`uml jobs` shows it, `uml events` follows it, `uml cancel {job['id']}` ends it"
