"""``uml load``: have the gateway load a model."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import BackendOption, ContextOption, JsonOption, ParallelOption


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's id or alias; see `uml list`.", show_default=False)
    ],
    *,
    backend: BackendOption = None,
    context_length: ContextOption = None,
    parallel: ParallelOption = None,
    json: JsonOption = False,
) -> None:
    """Load a model into the running gateway.

    It takes the place of the one that is there.
    """
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.output import human_seconds, print_json, say
    from uml_core.cli.progress import progress
    from uml_core.cli.stage import stage_of
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    with progress(lambda: stage_of(client.active())):
        loaded = client.load(model, backend=backend, context_length=context_length, parallel=parallel)
    if json:
        print_json(loaded)
    else:
        seconds = f" in {human_seconds(loaded['seconds'])}" if loaded.get("seconds") is not None else ""
        say(f"loaded {loaded['model']} with {loaded['backend']}{seconds}; context {loaded['context_length']} tokens")
