"""What an installer is doing, read from what it writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from attrs import evolve, frozen

COUNTED = re.compile(r"Progress (\d+) of (\d+)$")
STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Collecting ([^\s;@\[(<>=!~]+)"), "looking for {}"),
    (re.compile(r"(?:Obtaining|Processing) (?:file://)?\S*?([^/\s]+)/?$"), "looking at {}"),
    (re.compile(r"Downloading (?:\S*/)?([^\s/]+)"), "downloading {}"),
    (re.compile(r"Using cached (?:\S*/)?([^\s/]+)"), "taking {} from the cache"),
    (re.compile(r"(?:Building|Preparing) (?:editable|wheel|metadata)\b.*? for ([^\s(]+)"), "building {}"),
    (re.compile(r"Building ([^\s:]+)"), "building {}"),
    (re.compile(r"Installing (build dependencies)"), "fetching {}"),
    (re.compile(r"(?:Resolved|Prepared) (\d+) packages?"), "installing {} packages"),
)
PACKAGES = re.compile(r"Installing collected packages: (.+)$")


@frozen(kw_only=True)
class Step:
    """What is being done; of a download also how far it is, in bytes."""

    label: str
    bytes_done: int | None = None
    bytes_total: int | None = None


Tell: TypeAlias = Callable[[Step], None]


def next_step(line: str, step: Step) -> Step:
    """The step after *line*, which is pip's or uv's; *step* itself if the line says nothing of it."""
    line = line.strip()
    if counted := COUNTED.match(line):
        done, total = map(int, counted.groups())
        return evolve(step, bytes_done=done, bytes_total=total)
    if installed := PACKAGES.match(line):
        return Step(label=f"installing {len(installed[1].split(','))} packages")
    return next((Step(label=text.format(*found.groups())) for one, text in STEPS if (found := one.match(line))), step)
