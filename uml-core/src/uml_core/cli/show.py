"""``uml show``: everything about one model."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import JsonOption


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's id or alias; see `uml list`.", show_default=False)
    ],
    *,
    json: JsonOption = False,
) -> None:
    """Show everything about a model.

    What it is, where it lies, which backend would load it and what the others say, and how it did here.
    """
    from uml_core.cli.columns import print_fitted
    from uml_core.cli.model_page import MEASURED, lines, measured
    from uml_core.cli.output import print_json, stdout
    from uml_core.cli.page import print_page
    from uml_core.cli.places import named, places_of
    from uml_core.cli.registry import open_registry
    from uml_core.settings import read_settings

    settings = read_settings()
    with open_registry(settings) as registry:
        view = registry.model(named(model, settings))
    places = places_of(view["id"], settings)
    if json:
        print_json({**view, "places": places})
        return
    print_page(view["id"], lines(view, places))
    rows = measured(view)
    if rows:
        stdout().print()
        print_fitted(MEASURED, rows)
