"""``uml list``: the models on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uml_core.cli.options import JsonOption
from uml_core.cli.tasks import TaskOption

if TYPE_CHECKING:
    from uml_core.cli.reading import Reading
    from uml_core.cli.registry import ModelRegistry
    from uml_core.settings import Settings

QUIET_S = 1.0
"""Reading headers for less than this needs no bar."""


def command(
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="Only models with these words in name or facts.", show_default=False),
    ] = None,
    *,
    task: TaskOption = None,
    format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="Only models of this format, such as gguf.")
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="STORE", help="Only models that this store has.")
    ] = None,
    all_kinds: Annotated[
        bool, typer.Option("--all", help="Also projectors, adapters and other parts of models.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the models on this machine.

    NEEDS is the memory that it takes, TOKENS/S how fast it was here. What is loaded or pinned comes first.
    """
    from uml_core.cli.output import print_json
    from uml_core.cli.progress import progress
    from uml_core.cli.reading import Reading
    from uml_core.cli.registry import open_registry
    from uml_core.cli.tasks import tag_of
    from uml_core.server.wanted import Wanted
    from uml_core.settings import read_settings

    settings, wanted = read_settings(), Wanted(task=tag_of(task), format=format, store=store, query=query)
    reading = Reading()
    with (
        progress(reading.stage, label="looking for models", quiet_s=QUIET_S),
        open_registry(settings) as registry,
    ):
        found = _listing(registry, reading)
    fitting = [card for card in found["data"] if wanted.includes(card)]
    cards = [card for card in fitting if all_kinds or card.get("kind") in {None, "model"}]
    if json:
        print_json(cards)
    else:
        _tell(cards, settings, filtered=wanted != Wanted(), hidden=len(fitting) - len(cards))
        _tell_problems(found)


def _listing(registry: ModelRegistry, reading: Reading) -> Mapping[str, Any]:
    """All models, each with what its header says; what was not read yet is read now."""
    import contextlib

    from uml_core.errors import UMLError

    found = registry.listing()
    if any(card.get("pending") for card in found["data"]):
        with contextlib.suppress(UMLError):  # somebody cancelled it: what is known is shown all the same
            registry.scan(on_progress=reading.take)
        found = registry.listing()
    return found


def _tell(cards: Sequence[Mapping[str, Any]], settings: Settings, *, filtered: bool, hidden: int) -> None:
    from uml_core.cli.columns import print_fitted
    from uml_core.cli.model_table import COLUMNS, reasons, rows
    from uml_core.cli.output import print_lines, say

    if not cards:
        say(_nothing(settings, filtered=filtered, hidden=hidden))
        return
    left_out = print_fitted(COLUMNS, rows(cards))
    print_lines(reasons(cards))
    if left_out:
        say(f"no room for {', '.join(left_out)}; a wider terminal has it, and `uml show MODEL`", style="dim")


def _nothing(settings: Settings, *, filtered: bool, hidden: int) -> str:
    if hidden:
        return "there are only parts of models here; `uml list --all` shows them"
    if filtered:
        return "no model on this machine is like that; `uml list` shows all"
    return (
        "there is no model on this machine yet; `uml pull starter` fetches a small one, and any model "
        f"that you put into {settings.models_folder} is found"
    )


def _tell_problems(found: Mapping[str, Any]) -> None:
    from uml_core.cli.problems import tell_problems

    tell_problems(found["problems"])
