"""How long ago something was, in words."""

from __future__ import annotations

from uml_core.cli.output import since_s

UNITS = (("year", 365 * 86400), ("month", 30 * 86400), ("week", 7 * 86400), ("day", 86400), ("hour", 3600))


def ago(moment: str | None) -> str:
    """``just now``, ``5 min ago``, ``2 hours ago``, ``3 days ago``; empty for no moment.

    :param moment: in ISO 8601 with a zone
    """
    if not moment:
        return ""
    seconds = since_s(moment)
    for unit, scale in UNITS:
        if seconds >= scale:
            count = int(seconds // scale)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return f"{seconds // 60:.0f} min ago" if seconds >= 60 else "just now"
