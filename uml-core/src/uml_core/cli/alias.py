"""``uml alias``: further names for models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.cli.registry import ModelRegistry


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The new name.", show_default=False)] = None,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="The model that it is to mean.", show_default=False)
    ] = None,
    *,
    remove: Annotated[
        str | None, typer.Option("--rm", metavar="NAME", help="Let that name mean nothing any more.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List them, as without arguments.")] = False,
    json: JsonOption = False,
) -> None:
    """Give a model another name, or list those names.

    An alias works wherever a model is named, also over HTTP.
    """
    from uml_core.cli.places import named
    from uml_core.cli.registry import open_registry
    from uml_core.errors import BadRequestError
    from uml_core.settings import read_settings

    orders = [name is not None, remove is not None, listed]
    if sum(orders) > 1 or (name is None) != (model is None):
        raise BadRequestError(
            "say `uml alias NAME MODEL` to give a name, `uml alias --rm NAME` to take it away, `uml alias` to list all"
        )
    settings = read_settings()
    with open_registry(settings, writes=name is not None or remove is not None) as registry:
        if name is not None and model is not None:
            _tell(registry.set_alias(name, named(model, settings)), "'{alias}' is '{model}' from now on", json=json)
        elif remove is not None:
            _tell({"alias": remove, **registry.remove_alias(remove)}, "'{alias}' means no model any more", json=json)
        else:
            _list(registry, json=json)


def _tell(view: dict[str, Any], sentence: str, *, json: bool) -> None:
    from uml_core.cli.output import plain, print_json, say

    if json:
        print_json(view)
    else:
        say(plain(sentence.format_map(view)))


def _list(registry: ModelRegistry, *, json: bool) -> None:
    from uml_core.cli.output import plain, print_json, print_table, say

    aliases = registry.aliases()
    if json:
        print_json(aliases)
    elif aliases:
        rows = [(row["alias"], row["model"], "uml.toml" if row["source"] == "settings" else "") for row in aliases]
        print_table(("ALIAS", "MODEL", "FROM"), [tuple(map(plain, row)) for row in rows])
    else:
        say("no model has an alias; `uml alias NAME MODEL` gives it one")
