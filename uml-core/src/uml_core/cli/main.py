"""The command ``uml``: finds the command that was asked for, runs it, and tells what went wrong in one sentence."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from uml_core.cli.group import CommandGroup
from uml_core.errors import UMLError

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help takes three times as long as all the rest of `uml --help`
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="UML_DATA_DIR names the data folder, UML_CONFIG the settings file; UML_DEBUG=1 shows tracebacks.",
)


def _version(*, asked: bool) -> None:
    if asked:
        from uml_core import __version__

        typer.echo(f"uml {__version__}")
        raise typer.Exit


@app.callback()
def uml(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=lambda asked: _version(asked=asked), help="Show the version."
        ),
    ] = False,
) -> None:
    """Run local AI models: one at a time, supervised, behind an OpenAI-compatible server."""


def main() -> None:
    """Run ``uml`` and exit: 0 well, 130 after Ctrl-C, else what the error's class says."""
    try:
        try:
            app(prog_name="uml")
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `uml list | head -1`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("UML_DEBUG") == "1":
            raise
        sys.exit(_tell(error))


def _tell(error: Exception) -> int:
    from uml_core.cli.output import show_error

    if isinstance(error, UMLError):
        from uml_core.cli.failure import tell

        tell(error)
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        show_error(
            f"'{error.filename}' can't be used: {error.strerror}; look at it, or set UML_DATA_DIR to another folder"
        )
        return 1
    show_error(f"{type(error).__name__}: {error}", ("UML did not expect this; UML_DEBUG=1 shows where it happened",))
    return 1


if __name__ == "__main__":
    main()
