"""``uml plugins install``: a plugin with its engine, in UML's own environment or in one that is made for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.environments.step import Tell


def install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin; see the README.", show_default=False)],
    *,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="Give the engine an environment of its own, in the data folder.")
    ] = False,
    extra: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="REQUIREMENT", help="A further package for it; may be said again."),
    ] = None,
    python: Annotated[
        str, typer.Option("--python", metavar="PATH", help="Make that environment of this Python.", show_default=False)
    ] = "",
    json: JsonOption = False,
) -> None:
    """Install a plugin and its engine, through your own pip or uv.

    With --isolated the engine lies apart from UML, so that two engines never need the same packages. UML uses such an
    environment unless uml.toml names another `python` for that plugin, and a running gateway from its next load on.
    Said again, it makes a new one, which takes the place of the old one once it is whole.
    """
    from uml_core.cli.here import plugins_here
    from uml_core.cli.interrupt import ends_in_order
    from uml_core.cli.output import plain, print_json, say
    from uml_core.environments.wanted import Wanted
    from uml_core.errors import BadRequestError
    from uml_core.settings import read_settings

    if python and not isolated:
        raise BadRequestError("--python names what an environment is made of; add --isolated")
    settings = read_settings()
    cards = lambda: plugins_here(settings, warn=False).cards  # noqa: E731 - asked again after the installation
    wanted = Wanted(name=name, settings=settings, cards=cards, further=tuple(extra or ()))
    with ends_in_order(), _shown() as tell:
        view = wanted.install_isolated(tell, base=python) if isolated else wanted.install_here(tell)
    if json:
        print_json(view)
    else:
        say(plain(view["sentence"]))


@contextlib.contextmanager
def _shown() -> Iterator[Tell]:
    """A bar on a terminal, with what pip is doing."""
    import time

    from uml_core.cli.progress import progress
    from uml_core.cli.stage import Stage
    from uml_core.environments.step import Step

    steps, began_s = [Step(label="starting")], time.monotonic()

    def look() -> Stage:
        step = steps[-1]
        part = step.bytes_done / step.bytes_total if step.bytes_done is not None and step.bytes_total else None
        return Stage(
            label=step.label,
            part=part,
            bytes_done=step.bytes_done,
            bytes_total=step.bytes_total,
            elapsed_s=time.monotonic() - began_s,
        )

    with progress(look, label="starting"):
        yield lambda step: steps.__setitem__(0, step)
