"""Decide what a load will do, before anything is touched."""

from uml_core.planning.plan import Planner

__all__ = ("Planner",)
