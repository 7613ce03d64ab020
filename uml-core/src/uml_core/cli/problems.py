"""The places of stores that can't be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from uml_core.cli.output import plain, say


def tell_problems(problems: Iterable[Mapping[str, Any]]) -> None:
    """Say each in a dim line on standard error."""
    for problem in problems:
        say(plain(str(problem["reason"])), style="dim")
