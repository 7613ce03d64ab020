"""``uml plan``: what a load would take and do, with nothing touched."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import (
    BackendOption,
    CacheTypeOption,
    ContextOption,
    DeviceOption,
    EngineOption,
    JsonOption,
    ParallelOption,
    SpinOption,
    ThreadsOption,
)


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's id, alias or file; see `uml list`.", show_default=False)
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
    json: JsonOption = False,
) -> None:
    """Show what a load would take, whether it fits, and why.

    A bar for each device, counting what unloading the present model frees; then each decision with its reason. Nothing
    is loaded or unloaded. Ends with 4 if it doesn't fit.
    """
    from uml_core.cli.asked import Asked
    from uml_core.cli.planned import show

    asked = Asked(
        model=model,
        backend=backend,
        context_length=context_length,
        parallel=parallel,
        threads=threads,
        spin=spin,
        device=device,
        cache_type=cache_type,
        options=option or (),
    )
    show(asked, json=json)
