"""Profiles and usage as rows of their tables, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import asdict, fields

from uml_core.storage.line import stamp
from uml_core.types.profile import Profile, Usage


def profile_to_row(profile: Profile) -> dict[str, Any]:
    """Every field in its column; the options as the text of a JSON object."""
    options = json.dumps(dict(profile.options), default=str, separators=(",", ":"))
    return {**asdict(profile, recurse=False), "options": options, "measured": stamp(profile.measured)}


def profile_from_row(row: Mapping[str, Any]) -> Profile:
    """The profile of a row; columns of a later version are left out.

    :raises ValueError, TypeError, KeyError: it is no such row
    """
    facts = {field.name: row[field.name] for field in fields(Profile) if field.name in row}
    spin = facts.get("spin")
    return Profile(
        **{
            **facts,
            "spin": None if spin is None else bool(spin),  # SQLite has numbers for them
            "busy": bool(facts.get("busy")),
            "options": json.loads(facts.get("options") or "{}"),
            "measured": datetime.fromisoformat(facts["measured"]),
        }
    )


def usage_to_row(usage: Usage) -> dict[str, Any]:
    """Every field in its column."""
    times = {
        name: at and stamp(at) for name, at in (("last_loaded", usage.last_loaded), ("last_used", usage.last_used))
    }
    return {**asdict(usage), **times}


def usage_from_row(row: Mapping[str, Any]) -> Usage:
    """The usage of a row; what is missing was never counted.

    :raises ValueError, TypeError: it is no such row
    """
    return Usage(
        loads=int(row.get("loads") or 0),
        requests=int(row.get("requests") or 0),
        prompt_tokens=int(row.get("prompt_tokens") or 0),
        completion_tokens=int(row.get("completion_tokens") or 0),
        last_loaded=_time(row.get("last_loaded")),
        last_used=_time(row.get("last_used")),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
