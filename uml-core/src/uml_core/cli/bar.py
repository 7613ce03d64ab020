"""The two lines that show a stage on a terminal: what is being done, and how far it is."""

from __future__ import annotations

import time

from attrs import field, mutable
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from uml_core.cli.output import plain
from uml_core.cli.stage import Stage

BAR_PART = 5
"""The bar takes this part of the columns, and what is known the rest."""
LONGEST_BAR_COLUMNS = 24


@mutable
class Bar:
    """Shows the stage that it was given last; between two of them its times run on."""

    stage: Stage = field()
    _told_s: float = field(factory=time.monotonic)
    _spinner: Spinner = field(factory=lambda: Spinner("dots", style="green"))

    def show(self, stage: Stage) -> None:
        """Show *stage* from now on."""
        if stage != self.stage:
            self.stage, self._told_s = stage, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now_s = time.monotonic()
        yield _row(self._spinner.render(now_s), Text(plain(self.stage.label), no_wrap=True, overflow="ellipsis"))
        columns = min(options.max_width // BAR_PART, LONGEST_BAR_COLUMNS)
        facts = fitting(self.stage.facts(now_s - self._told_s), options.max_width - columns - 4)
        yield _row(Text(""), _row(self._bar(columns, now_s), Text(facts, style="dim", no_wrap=True), gap=2))

    def _bar(self, columns: int, now_s: float) -> ProgressBar:
        part = self.stage.part
        return ProgressBar(
            total=None if part is None else 1.0,
            completed=part or 0.0,
            width=columns,
            animation_time=now_s,
            complete_style="green",
            pulse_style="green",
        )


def fitting(facts: list[str], columns: int) -> str:
    """As many of the facts as fit, the first first."""
    while facts and cell_len(" · ".join(facts)) > columns:
        facts = facts[:-1]
    return " · ".join(facts)


def _row(left: RenderableType, right: RenderableType, *, gap: int = 1) -> Table:
    row = Table.grid(padding=(0, gap, 0, 0))
    row.add_column(min_width=1, no_wrap=True)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_row(left, right)
    return row
