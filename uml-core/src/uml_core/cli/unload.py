"""``uml unload``: have the gateway let go of its model."""

from __future__ import annotations

from uml_core.cli.options import JsonOption, NoWaitOption


def command(*, no_wait: NoWaitOption = False, json: JsonOption = False) -> None:
    """Unload the model of the running gateway.

    The requests that it is answering come first. Then it says what was freed, and how it is known.
    """
    from uml_core.cli.followed import begun, followed
    from uml_core.cli.gateway import needed_client
    from uml_core.cli.outcome import unloaded
    from uml_core.cli.output import say
    from uml_core.settings import read_settings

    client = needed_client(read_settings())
    if no_wait:
        begun(client.unload(wait=False), what="the unload", json=json)
        return
    job = followed(client, lambda take: client.unload(on_progress=take), what="the unload", json=json)
    if not json:
        say(unloaded(job))
