"""``uml load``: have the gateway load a model."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import (
    BackendOption,
    CacheTypeOption,
    ContextOption,
    DeviceOption,
    EngineOption,
    ForceOption,
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
    device: DeviceOption = None,
    cache_type: CacheTypeOption = None,
    threads: ThreadsOption = None,
    spin: SpinOption = None,
    option: EngineOption = None,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `uml plan` does.")] = False,
    no_wait: NoWaitOption = False,
    json: JsonOption = False,
) -> None:
    """Load a model into the running gateway.

    What is left open is planned, and nothing is touched if it doesn't fit. It takes the place of the one that is
    there; if it can't be loaded, that one comes back. Ctrl-C leaves the load running; `uml cancel` ends it.
    """
    from uml_core.cli.asked import Asked

    asked = Asked(
        model=model,
        backend=backend,
        context_length=context_length,
        parallel=parallel,
        threads=threads,
        spin=spin,
        device=device,
        cache_type=cache_type,
        force=force,
        options=option or (),
    )
    if dry_run:
        from uml_core.cli.planned import show

        show(asked, json=json)
        return
    from functools import partial

    from uml_core.cli.followed import begun, followed
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.outcome import loaded
    from uml_core.cli.output import say
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    load, what = partial(client.load, model, **asked.how()), f"the load of '{model}'"
    if no_wait:
        begun(load(wait=False), what=what, json=json)
        return
    job = followed(client, lambda take: load(on_progress=take), what=what, json=json)
    if not json:
        say(loaded(job))
