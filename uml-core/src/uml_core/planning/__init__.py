"""Decide what a load will do, before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uml_core.planning.plan import Planner

__all__ = ("Planner",)


def __getattr__(name: str) -> Any:
    """Import the planner when it is asked for: who only counts bytes needs neither plugins nor the host."""
    if name != "Planner":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from uml_core.planning.plan import Planner

    return Planner
