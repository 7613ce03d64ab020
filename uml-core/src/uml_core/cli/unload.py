"""``uml unload``: have the gateway let go of its model."""

from __future__ import annotations

from uml_core.cli.options import JsonOption


def command(*, json: JsonOption = False) -> None:
    """Unload the model of the running gateway."""
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.output import print_json, say
    from uml_core.settings import read_settings

    unloaded = needed_client(read_settings()).unload()
    if json:
        print_json({"unloaded": unloaded})
    else:
        say(f"unloaded {unloaded}" if unloaded else "no model was loaded")
