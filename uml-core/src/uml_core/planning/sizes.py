"""Amounts of memory in words."""

from __future__ import annotations

from uml_core.types import HOST, Budget


def amount(size_bytes: float, *, digits: int = 0) -> str:
    """``7.9 GB``, ``243 MB``.

    :param digits: so many more behind the point
    """
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.{digits + 1}f} GB"
    return f"{size_bytes / 1e6:.{digits}f} MB"


def amounts(one_bytes: int, other_bytes: int) -> tuple[str, str]:
    """Both, with as many digits as it takes to tell them apart."""
    pairs = ((amount(one_bytes, digits=digits), amount(other_bytes, digits=digits)) for digits in range(9))
    return next(pair for pair in pairs if pair[0] != pair[1] or one_bytes == other_bytes)


def place(budget: Budget) -> str:
    """``memory``, ``NVIDIA GeForce RTX 3090 (cuda:0)``."""
    return budget.name if budget.device == HOST else f"{budget.name} ({budget.device})"
