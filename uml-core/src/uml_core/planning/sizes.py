"""Amounts of memory in words."""

from __future__ import annotations

from uml_core.types import Budget

FINE_BELOW = 1e8


def gigabytes(size_bytes: float) -> str:
    """``7.9``: gigabytes with one digit, with two of what is less than a tenth of one."""
    return f"{size_bytes / 1e9:.{2 if 0 < size_bytes < FINE_BELOW else 1}f}"


def place(budget: Budget) -> str:
    """``memory``, ``NVIDIA GeForce RTX 3090 (cuda:0)``."""
    return budget.name if budget.device == "cpu" else f"{budget.name} ({budget.device})"
