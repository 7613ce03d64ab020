"""Read the header of every model that is new or has changed, and say how far that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from uml_core.errors import InvalidModelFileError
from uml_core.types import StoredModel, Unreadable

if TYPE_CHECKING:
    from uml_core.registry.registry import Registry


@frozen(kw_only=True)
class ScanProgress:
    """``done`` of ``total`` models have been looked at; ``model`` is the id of the one that is being read."""

    done: int
    total: int
    model: str | None = None


@frozen(kw_only=True)
class ScanReport:
    """What a scan found.

    ``read`` headers were read, those of ``unchanged`` models were known. ``unreadable`` files break their format,
    ``incomplete`` models lack a file, ``duplicates`` lie at another place as well, ``gone`` were here before.
    ``problems`` are places of stores that can't be read. A scan that was ``cancelled`` keeps what it has read.
    """

    models: int = 0
    read: int = 0
    unchanged: int = 0
    unreadable: int = 0
    incomplete: int = 0
    duplicates: int = 0
    gone: int = 0
    problems: tuple[Unreadable, ...] = ()
    seconds: float = 0.0
    cancelled: bool = False


@define
class Scan:
    """One scan of *registry*; :meth:`run` blocks."""

    registry: Registry
    progress: Callable[[ScanProgress], object]
    stopped: Callable[[], bool]
    _counts: dict[str, int] = field(factory=lambda: dict.fromkeys(("read", "unchanged", "unreadable", "incomplete"), 0))

    def run(self) -> ScanReport:
        begun_s = time.monotonic()
        listing = self.registry.listing()
        models = listing.models
        cancelled = False
        for done, model in enumerate(models):
            if cancelled := self.stopped():
                break
            self.progress(ScanProgress(done=done, total=len(models), model=model.id))
            self._look(model)
        else:
            self.progress(ScanProgress(done=len(models), total=len(models)))
        gone = 0 if cancelled else self.registry.records.gone(_places(models))
        return ScanReport(
            models=len(models), duplicates=listing.duplicates, problems=listing.problems, gone=gone,
            seconds=time.monotonic() - begun_s, cancelled=cancelled, **self._counts,
        )  # fmt: skip

    def _look(self, model: StoredModel) -> None:
        known = self.registry.known(model)
        self._counts["read" if known is None else "unchanged"] += 1
        try:
            card = self.registry.card(model)
        except InvalidModelFileError:
            self._counts["unreadable"] += 1
        else:
            self._counts["incomplete"] += not card.complete
        if known is None:
            time.sleep(0)  # parsing holds the interpreter; whoever serves a request may have it now


def _places(models: Iterable[StoredModel]) -> Iterable[Path]:
    return (one.path for model in models for one in (model, *model.also))
