"""``uml scan``: look at all models of this machine, and read those that are new or have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.cli.reading import Reading
    from uml_core.cli.registry import ModelRegistry


def command(*, json: JsonOption = False) -> None:
    """Look for models in all stores, and read what is new.

    What was read is remembered, so that `uml list` answers at once. Ctrl-C ends it, and what was read until then stays.
    """
    from uml_core.cli.output import print_json, say
    from uml_core.cli.problems import tell_problems
    from uml_core.cli.progress import progress
    from uml_core.cli.reading import Reading
    from uml_core.cli.registry import open_registry
    from uml_core.settings import read_settings

    reading = Reading()
    with open_registry(read_settings(), writes=True) as registry, progress(reading.stage, label="looking for models"):
        report = _scanned(registry, reading)
    if json:
        print_json(report)
        return
    say(found(report))
    tell_problems(report["problems"])


def _scanned(registry: ModelRegistry, reading: Reading) -> Mapping[str, Any]:
    from uml_core.cli.interrupt import impatient
    from uml_core.cli.output import say

    try:
        job = registry.scan(on_progress=reading.take)
    except KeyboardInterrupt:
        with impatient():
            _cancel(registry, reading)
            seen = f" after {reading.done:,} of {reading.total:,} models" if reading.total else ""
            say(f"the scan was cancelled{seen}; what was read is kept")
        raise
    report: Mapping[str, Any] = job["report"]
    return report


def _cancel(registry: ModelRegistry, reading: Reading) -> None:
    import contextlib

    from uml_core.errors import UMLError

    if reading.job_id:
        with contextlib.suppress(UMLError):  # it ended in this very moment
            registry.cancel(reading.job_id)


def found(report: Mapping[str, Any]) -> str:
    """``12 models: 3 read, 9 unchanged; 1 incomplete, 2 duplicates; 0.4 s``."""
    from uml_core.cli.output import human_seconds

    models = report["models"]
    parts = [f"{models:,} model{'' if models == 1 else 's'}", *_counts(report), human_seconds(report["seconds"])]
    return "; ".join(parts).replace("; ", ": ", 1) if models else f"there is no model on this machine; {parts[-1]}"


def _counts(report: Mapping[str, Any]) -> Iterator[str]:
    looked = [f"{report[name]:,} {name}" for name in ("read", "unchanged") if report[name]]
    yield ", ".join(looked) or "none was looked at"
    duplicates = report["duplicates"]
    rest = [f"{report[name]:,} {name}" for name in ("unreadable", "incomplete", "gone") if report[name]]
    rest += [f"{duplicates:,} duplicate{'' if duplicates == 1 else 's'}"] if duplicates else []
    if rest:
        yield ", ".join(rest)
