"""``uml pull``: fetch a model."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import JsonOption


def command(
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="What to fetch; `starter` is a small chat model.", show_default=False)
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Fetch without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Fetch a model into the models folder.

    First it says where from, how large, and under which licence.
    """
    import sys

    from uml_core.cli.here import registry_here
    from uml_core.cli.output import ask, print_json, say
    from uml_core.cli.starter import description, fetch
    from uml_core.errors import ModelNotFoundError
    from uml_core.settings import read_settings

    settings = read_settings()
    registry = registry_here(settings)
    offer = registry.offer(model)
    if offer is None:
        raise ModelNotFoundError(
            f"nothing can be fetched under the name '{model}'; `uml pull starter` works, and any GGUF file "
            f"that you put into {settings.models_folder} is found"
        )
    stored = next((stored for stored in registry.models() if stored.id == offer.id), None)
    if stored:
        say(f"{stored.id} is already here: {stored.path}")
    else:
        say(description(offer))
        if not yes and sys.stdin.isatty() and not ask("Fetch it?"):
            say("nothing was fetched")
            raise typer.Exit(1)
        stored = fetch(offer)
    if json:
        print_json({"id": stored.id, "path": str(stored.path), "size_bytes": stored.size_bytes})
