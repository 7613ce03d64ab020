"""Something moves on the terminal while something else takes its time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from uml_core.cli.output import stderr
from uml_core.cli.stage import Stage

QUIET_S = 1.0
"""What is done within this needs no bar."""
LOOK_S = 0.2


@contextlib.contextmanager
def progress(look: Callable[[], Stage | None], *, label: str = "checking") -> Iterator[None]:
    """Show a bar with stage and elapsed time while the block runs, on a terminal, once it took a second.

    :param look: says the stage; called five times a second from another thread, and what it raises is not told
    :param label: the stage when *look* knows none
    """
    if not stderr().is_terminal:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(over, look, label), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(over: threading.Event, look: Callable[[], Stage | None], label: str) -> None:
    if over.wait(QUIET_S):
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24, complete_style="green", pulse_style="green"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(label, total=None)
        while not over.wait(LOOK_S):
            stage = None
            with contextlib.suppress(Exception):  # the block itself tells what is wrong
                stage = look()
            known = stage is not None and stage.progress is not None
            bar.update(
                task,
                description=stage.label if stage else label,
                total=1.0 if known else None,
                completed=stage.progress if stage and stage.progress is not None else 0,
            )


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
