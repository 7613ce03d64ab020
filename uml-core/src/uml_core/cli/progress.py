"""Something moves on the terminal while something else takes its time."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from uml_core.cli.bar import Bar
from uml_core.cli.output import stderr
from uml_core.cli.stage import Stage

QUIET_S = 0.6
"""What is done within this needs no bar."""
TURN_S = 0.1
TURNS_PER_LOOK = 2


@contextlib.contextmanager
def progress(look: Callable[[], Stage | None], *, label: str = "checking", quiet_s: float = QUIET_S) -> Iterator[None]:
    """Show a bar while the block runs, on a terminal, once it took its time.

    :param look: says the stage; called five times a second from another thread, and what it raises is not told
    :param label: the stage when *look* knows none
    :param quiet_s: how long nothing is shown
    """
    if not animated():
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(over, look, label, quiet_s), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def animated() -> bool:
    """Whether somebody looks at standard error, on a terminal that can be written over."""
    return stderr().is_terminal and not stderr().is_dumb_terminal


def _show(over: threading.Event, look: Callable[[], Stage | None], label: str, quiet_s: float) -> None:
    if over.wait(quiet_s):
        return
    bar = Bar(nothing := Stage(label=label, elapsed_s=quiet_s))
    with Live(bar, console=stderr(), transient=True, auto_refresh=False) as live:
        for turn in itertools.count():
            if turn % TURNS_PER_LOOK == 0:
                stage = None
                with contextlib.suppress(Exception):  # the block itself tells what is wrong
                    stage = look()
                bar.show(stage or nothing)
            live.refresh()
            if over.wait(TURN_S):
                return


@contextlib.contextmanager
def download(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with bytes, rate and time left; nothing where no person looks.

    :returns: called with the bytes that are here and the bytes in all
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24, complete_style="green", pulse_style="green"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True, disable=not stderr().is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda here, total: bar.update(task, completed=here, total=total)
