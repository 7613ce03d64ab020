"""Plan a load and show it: what ``uml plan`` and ``uml load --dry-run`` do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from uml_core.cli.asked import Asked
from uml_core.cli.flow import flowed, words
from uml_core.cli.output import print_json, stdout
from uml_core.cli.plan_page import print_plan
from uml_core.cli.progress import progress
from uml_core.cli.registry import open_registry
from uml_core.errors import InsufficientMemoryError
from uml_core.settings import read_settings


def show(asked: Asked, *, json: bool) -> None:
    """Print the plan.

    :raises typer.Exit: it doesn't fit
    :raises UMLError: there is no such model, or no way to load it
    """
    with progress(lambda: None, label=f"planning {asked.model}"), open_registry(read_settings()) as registry:
        plan = registry.plan(asked.model, **asked.how())
    if json:
        print_json(plan)
    else:
        print_plan(plan, stdout())
        _tell_way(asked, plan)
    if not plan["fits"] and not plan["forced"]:
        raise typer.Exit(InsufficientMemoryError.exit_code)


def _tell_way(asked: Asked, plan: Mapping[str, Any]) -> None:
    """The command that loads it, or the nearest one that would."""
    console = stdout()
    said, style = _way(asked, plan)
    console.print()
    for line in flowed(words(said, style), console.width if console.is_terminal else None):
        console.print(line, soft_wrap=True)


def _way(asked: Asked, plan: Mapping[str, Any]) -> tuple[str, str]:
    if plan["fits"]:
        return f"`{asked.command('load', {})}` loads it so", "dim"
    if plan["would_fit"] and not plan["forced"]:
        return f"this would fit: `{asked.command('load', plan['would_fit'])}`", "green"
    tries = f"`{asked.command('load', {'force': True})}` tries it all the same"
    return tries if plan["forced"] else f"nothing that could be changed makes it fit here; {tries}", "yellow"
