"""``uml pin``: models that are to stay."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import JsonOption


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's id or alias; see `uml list`.", show_default=False)
    ],
    *,
    off: Annotated[bool, typer.Option("--off", help="Take the pin off.")] = False,
    json: JsonOption = False,
) -> None:
    """Pin a model, so that it stays.

    It stands first in `uml list`, and `uml rm` leaves it.
    """
    from uml_core.cli.output import plain, print_json, say
    from uml_core.cli.places import named
    from uml_core.cli.registry import open_registry
    from uml_core.settings import read_settings

    settings = read_settings()
    with open_registry(settings, writes=True) as registry:
        pinned = registry.pin(named(model, settings), on=not off)
    if json:
        print_json(pinned)
    else:
        say(plain(f"'{pinned['model']}' is {'pinned' if pinned['pinned'] else 'not pinned any more'}"))
