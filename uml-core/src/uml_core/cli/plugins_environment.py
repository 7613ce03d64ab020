"""What a backend's workers run in, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

View = Mapping[str, Any]


def engine(card: View) -> str:
    """The engine with the versions of what it consists of, those that are there.

    :param card: a plugin as ``GET /plugins`` shows it
    """
    backend, own = card["backend"], card["distribution"].partition(" ")[0]
    versions = (backend.get("environment") or {}).get("versions", {})
    named = [f"{name} {version}" for name, version in versions.items() if name not in {own, "uml-core"}]
    said = ", ".join(named) or backend.get("engine", "")
    return f"engine {said}" if said else ""


def place(environment: View) -> str:
    """Which Python it is, unless it is UML's own."""
    if environment.get("problem"):
        return str(environment["problem"])
    if environment.get("own", True):
        return ""
    whose = "its own environment" if environment["isolated"] else "another Python"
    core = environment["versions"].get("uml-core")
    speaks = f", uml-core {core} with worker protocol {environment['protocol'] or 0}" if core else ", no uml-core"
    return f"in {whose}, {environment['interpreter']} ({environment['python']}{speaks})"
