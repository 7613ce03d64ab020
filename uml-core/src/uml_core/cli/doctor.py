"""``uml doctor``: what this machine has, and what is missing for which backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.cli.columns import Column, Row


def command(*, json: JsonOption = False) -> None:
    """Show what this machine has for models, and what is missing.

    Processor, memory and accelerators with who holds them, every backend with what it lacks, places of models that
    can't be read, and what to do about each. Drivers are asked in a process of their own, for 10 seconds at most.
    """
    from uml_core.cli.checkup import checkup
    from uml_core.cli.output import print_json
    from uml_core.settings import read_settings

    view = checkup(read_settings())
    if json:
        print_json(view)
    else:
        _show(view)


def _show(view: dict[str, Any]) -> None:
    from rich.text import Text

    from uml_core.cli import checkup_page as page
    from uml_core.cli.output import plain, print_lines
    from uml_core.cli.page import print_page

    print_page(f"uml {view['uml']}", page.lines(view))
    _table(page.DEVICES, page.devices(view))
    print_lines(page.held(view))
    _table(page.BACKENDS, page.backends(view))
    _table(page.STORES, page.stores(view))
    problems = [Text(f"- {plain(problem)}", style="yellow") for problem in view["problems"]]
    told = Text("What to do" if problems else "All is well.", style="bold" if problems else "green")
    print_lines([Text(""), told, *problems])


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    from uml_core.cli.columns import print_fitted
    from uml_core.cli.output import stdout

    if rows:
        stdout().print()
        print_fitted(columns, rows)
