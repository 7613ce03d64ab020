"""``uml serve``: run the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from uml_core.client import Gateway
    from uml_core.settings import Settings


def command(
    *,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Address to bind; 127.0.0.1 is the default.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", "-p", metavar="N", min=0, max=65535, help="Port to bind; 8650 is the default, 0 takes a free one."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="FOLDER", help="Folder of run files, logs and models.")
    ] = None,
    models_dir: Annotated[
        Path | None, typer.Option("--models-dir", metavar="FOLDER", help="Folder of the models.")
    ] = None,
) -> None:
    """Run the gateway, an OpenAI-compatible server.

    It loads a model when a request names it. Ctrl-C ends it, and the model's process with it.
    """
    from uml_core.server.run import run
    from uml_core.settings import read_settings

    server = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(data_dir=data_dir, models_dir=models_dir, server=server or None)
    run(settings, on_ready=lambda gateway: _tell(gateway, settings, elsewhere=data_dir is not None))


def _tell(gateway: Gateway, settings: Settings, *, elsewhere: bool) -> None:
    """Say where it is and how to use it.

    :param elsewhere: the data folder is one that other commands don't look into by themselves
    """
    from rich.text import Text

    from uml_core.cli.output import stderr

    lines = {
        "UML": Text.assemble(gateway.version, "  ", (gateway.url, "bold"), f"  (pid {gateway.pid})"),
        "OpenAI": Text(f"{gateway.url}/v1"),
        "data": Text(str(settings.data_dir)),
        "models": Text(str(settings.models_folder)),
        "ask": Text('uml run "Why is the sky blue?"'),
        "stop": Text("Ctrl-C"),
    }
    if elsewhere:
        lines["ask"] = Text(f"UML_DATA_DIR='{settings.data_dir}' uml run \"Why is the sky blue?\"")
    for label, text in lines.items():
        stderr().print(Text.assemble((f"{label:>7}  ", "dim"), text), soft_wrap=True)
