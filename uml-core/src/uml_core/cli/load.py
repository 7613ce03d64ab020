"""``uml load``: have the gateway load a model."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import (
    BackendOption,
    ContextOption,
    JsonOption,
    NoWaitOption,
    ParallelOption,
    SpinOption,
    ThreadsOption,
)


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's id or alias; see `uml list`.", show_default=False)
    ],
    *,
    backend: BackendOption = None,
    context_length: ContextOption = None,
    parallel: ParallelOption = None,
    threads: ThreadsOption = None,
    spin: SpinOption = None,
    no_wait: NoWaitOption = False,
    json: JsonOption = False,
) -> None:
    """Load a model into the running gateway.

    It takes the place of the one that is there; if it can't be loaded, that one comes back. Ctrl-C leaves the load
    running; `uml cancel` ends it.
    """
    from functools import partial

    from uml_core.cli.followed import begun, followed
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.outcome import loaded
    from uml_core.cli.output import say
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    how = partial(client.load, model, backend=backend, context_length=context_length, parallel=parallel)
    load = partial(how, threads=threads, spin=spin)
    what = f"the load of '{model}'"
    if no_wait:
        begun(load(wait=False), what=what, json=json)
        return
    job = followed(client, lambda take: load(on_progress=take), what=what, json=json)
    if not json:
        say(loaded(job))
