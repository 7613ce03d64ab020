"""Numbers for tables: bounds and percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence


def most_failures(failures: int, *, confidence: float = 0.95) -> float:
    """The upper bound of a Poisson mean of which *failures* events were seen: 3.00 for none, 4.74 for one."""
    low, high = float(failures), failures + 10.0 * math.sqrt(failures + 1) + 10.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(failures, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(count: int, mean: float) -> float:
    """How likely a Poisson variable is at most *count*."""
    return math.fsum(math.exp(number * math.log(mean) - mean - math.lgamma(number + 1)) for number in range(count + 1))


def least_availability(failures: int, requests: int) -> float:
    """What can be claimed with 95 % confidence after so many failures; 0 without requests."""
    return max(0.0, 1.0 - most_failures(failures) / requests) if requests else 0.0


def percentile(values: Sequence[float], part: float) -> float:
    """The value that *part* of all values don't exceed (nearest rank); NaN of none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(part * len(ranked)) - 1)] if ranked else math.nan
