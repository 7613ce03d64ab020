"""The places of stores that can't be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from uml_core.cli.output import plain, say

MOST = 12


def tell_problems(problems: Iterable[Mapping[str, Any]]) -> None:
    """Say each sentence once, dim, on standard error."""
    sentences = list(dict.fromkeys(plain(str(problem["reason"])) for problem in problems))
    for sentence in sentences[:MOST]:
        say(sentence, style="dim")
    if len(sentences) > MOST:
        say(f"and {len(sentences) - MOST} more; `uml scan --json` has all of them", style="dim")
