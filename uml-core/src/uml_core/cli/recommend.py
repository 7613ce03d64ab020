"""``uml recommend``: which model of this disk suits this machine best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from uml_core.cli.options import JsonOption
from uml_core.cli.tasks import TaskOption

View = Mapping[str, Any]
MOST_LEFT_OUT = 8


def command(
    *,
    task: TaskOption = "chat",
    all_left_out: Annotated[
        bool, typer.Option("--all", help="Also all that were left out, however many they are.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say which model on this disk suits this machine best, and why.

    By what it is, the memory that it would take, and how fast it was here, if `uml bench` has measured that.
    """
    from uml_core.cli.output import print_json
    from uml_core.cli.progress import progress
    from uml_core.cli.registry import open_registry
    from uml_core.settings import read_settings

    with progress(lambda: None, label="comparing the models"), open_registry(read_settings()) as registry:
        advice = registry.advice(task)
    if json:
        print_json(advice)
        return
    _tell(advice["data"], task or "anything", found=bool(advice["left_out"]))
    _tell_left_out(advice["left_out"], most=None if all_left_out else MOST_LEFT_OUT)


def _tell(models: Sequence[View], task: str, *, found: bool) -> None:
    from uml_core.cli.output import plain, say, stdout
    from uml_core.cli.page import print_page

    if not models:
        say(_nothing(task, found=found))
        return
    best, *others = models
    print_page(best["model"], [("", plain(best["reason"])), ("", f"`uml run {best['model']}` asks it")])
    if others:
        stdout().print()
    for number, model in enumerate(others, 2):
        print_page(f"{number}  {model['model']}", [("", plain(model["reason"]))])


def _nothing(task: str, *, found: bool) -> str:
    if found:
        return f"no model on this disk can be recommended for {task}; this is why:"
    return "there is no model on this machine yet; `uml pull starter` fetches a small one"


def _tell_left_out(models: Sequence[View], *, most: int | None) -> None:
    from uml_core.cli.output import plain, say

    for model in models[:most]:
        say(plain(f"{model['model']}: {model['reason']}"), style="dim")
    if most is not None and len(models) > most:
        say(f"and {len(models) - most} more; `uml recommend --all` says why", style="dim")
