"""``uml plugins remove``: take away the environment that UML made for an engine."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import JsonOption


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The backend; see `uml plugins`.", show_default=False)],
    *,
    json: JsonOption = False,
) -> None:
    """Remove the environment that `uml plugins install NAME --isolated` made.

    The plugin itself stays, and uses UML's own Python again; pip uninstalls it.
    """
    from uml_core.cli.output import plain, print_json, say
    from uml_core.environments.environment import remove as remove_environment
    from uml_core.environments.folder import EngineFolder
    from uml_core.settings import read_settings

    where = remove_environment(EngineFolder.of(read_settings().data_dir, name))
    if json:
        print_json({"plugin": name, "removed": str(where)})
    else:
        say(plain(f"removed '{where}'; '{name}' runs in UML's own Python again, or in the one that uml.toml names"))
