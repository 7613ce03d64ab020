import io
import sys

import pytest
from rich.console import Console

from uml_core.cli import columns
from uml_core.cli.columns import Column, print_fitted

COLUMNS = (Column("NAME"), Column("SIZE", right=True), Column("SPEED", 1, right=True), Column("STORE", 2))
LONG = "an/id-that-is-much-longer-than-its-column-may-become"
ROWS = [("short", "98 MB", "12.5", "ollama"), (LONG, "1.2 GB", "", "folder"), ("  :Q8_0", "3 GB", "3.1", "ollama")]


@pytest.fixture
def shown(monkeypatch):
    """The lines that a terminal of so many columns shows, or a file; and what was left out."""

    def show(rows, width=None, table=COLUMNS):
        written = io.StringIO()
        monkeypatch.setattr(sys, "stdout", written)
        console = Console(file=written, width=width, force_terminal=width is not None, no_color=True, highlight=False)
        monkeypatch.setattr(columns, "stdout", lambda: console)
        left_out = print_fitted(table, rows)
        return written.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines(), left_out

    return show


def test_a_file_gets_all_of_it_in_one_line_a_row(shown):
    lines, left_out = shown(ROWS)
    assert not left_out
    width = len(LONG)
    assert lines[0] == f"{'NAME':<{width}}    SIZE  SPEED  STORE"
    assert lines[1] == f"{'short':<{width}}   98 MB   12.5  ollama"
    assert len(lines) == 1 + len(ROWS)


def test_a_terminal_gets_the_columns_that_fit_and_every_id_whole(shown):
    lines, left_out = shown(ROWS, 45)
    assert left_out == []
    assert all(len(line) <= 45 for line in lines if line != LONG)
    assert lines[2] == LONG  # it has a line of its own, and what is said of it the next
    assert lines[3].split() == ["1.2", "GB", "folder"]
    lines, left_out = shown(ROWS, 26)
    assert left_out == ["STORE"]
    lines, left_out = shown(ROWS, 20)
    assert left_out == ["SPEED", "STORE"]
    assert LONG in lines
    assert lines[1].split() == ["short", "98", "MB"]


def test_a_long_name_runs_on_over_empty_cells(shown):
    lines, _ = shown([("a-name-of-twenty", "", "", "folder"), ("x", "1 GB", "3.0", "ollama")], 32)
    assert lines[1] == "a-name-of-twenty   folder"


def test_columns_that_say_nothing_or_the_same_everywhere_go_first(shown):
    rows = [("one", "1 GB", "5", "ollama"), ("two", "2 GB", "5", "folder")]
    assert shown(rows, 23)[1] == ["SPEED"]
    assert shown([(*row[:2], "", row[3]) for row in rows], 23)[1] == []


def test_the_narrowest_terminal_still_shows_what_can_not_be_dispensed_with(shown):
    lines, left_out = shown(ROWS, 4)
    assert left_out == ["SPEED", "STORE"]
    assert any(line == "short" for line in lines)
