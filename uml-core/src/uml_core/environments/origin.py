"""Where a distribution that is installed here came from, in words that make pip or uv install the same elsewhere."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname


def requirement(distribution: str, *, extra: str = "") -> tuple[str, ...]:
    """The words for *distribution* as it is here: its folder, file or commit, else its version from the user's index.

    A folder or file that is not there any more counts as none. Source: the *Recording the direct URL origin of
    installed distributions* of the Python packaging specifications.

    :raises importlib.metadata.PackageNotFoundError: it is not installed here
    """
    found = importlib.metadata.distribution(distribution)
    wanted = f"{distribution}[{extra}]" if extra else distribution
    origin = _origin(found)
    url = str(origin.get("url", ""))
    place = _place(url)
    if place is not None and origin.get("dir_info", {}).get("editable"):
        return "-e", f"{place}[{extra}]" if extra else str(place)
    if place is not None or "vcs_info" in origin or url.startswith("https:"):
        return (f"{wanted} @ {_fetched(url, origin)}",)
    return (f"{wanted}=={found.version}",)


def _origin(found: importlib.metadata.Distribution) -> dict[str, Any]:
    try:
        said = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _place(url: str) -> Path | None:
    parts = urlsplit(url)
    path = Path(url2pathname(parts.path))
    return path if parts.scheme == "file" and path.exists() else None


def _fetched(url: str, origin: Mapping[str, Any]) -> str:
    vcs = origin.get("vcs_info", {})
    whole = f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url
    folder = origin.get("subdirectory")
    return f"{whole}#subdirectory={folder}" if folder else whole
