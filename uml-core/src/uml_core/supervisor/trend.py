"""Whether a series grows for good: robust slopes, not two points.

Theil and Sen's slope with its interval, and Mann and Kendall's test, take every pair of points, so that no few odd ones
decide. But both take the points to be independent of each other, and memory isn't: a sawtooth of garbage collection, a
step, or a ramp to a plateau pass them all. So first the *floor* of the series must rise through all of it.

Sources: P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, 1968. M. G. Kendall, Rank
correlation methods, 1975 (variance with ties).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from statistics import NormalDist, median

from attrs import frozen

POINTS = 120
PARTS = 6
LEAST_POINTS = 4 * PARTS
LEAST_RISE = 0.25
"""Of the average rise from one sixth to the next; it may be missed once, and not in the last."""
MOST_RISE = 0.4
"""Of the whole rise; more from one sixth to the next is a step."""
SIGNIFICANCE = 0.01
CONFIDENCE = 0.95

Point = tuple[float, float]


@frozen(kw_only=True)
class Trend:
    """A slope (y by x), the lower end of its 95 % interval, and how likely mere chance gives so clear an order."""

    slope: float
    lower_slope: float
    p: float


def find_growth(points: Sequence[Point]) -> Trend | None:
    """Find the growth in *points*, which are in the order of x, if they grow steadily, significantly, and still.

    ``lower_slope`` is the lesser of the whole series' and its later half's, so that a growth that fades counts less.
    """
    if len(points) < LEAST_POINTS or not _floor_rises(points):
        return None
    thinned = thin(points)
    if len(thinned) < LEAST_POINTS:  # many points at few different x
        return None
    whole, later = _trend(thinned), _trend(thinned[len(thinned) // 2 :])
    lower_slope = min(whole.lower_slope, later.lower_slope)
    if whole.p >= SIGNIFICANCE or lower_slope <= 0:
        return None
    return Trend(slope=whole.slope, lower_slope=lower_slope, p=whole.p)


def thin(points: Sequence[Point]) -> list[Point]:
    """Merge neighbours, by their medians, into 120 points at most, each with an x of its own."""
    size = math.ceil(len(points) / POINTS) or 1
    chunks = (points[start : start + size] for start in range(0, len(points), size))
    merged = [(median(x for x, _ in chunk), median(y for _, y in chunk)) for chunk in chunks]
    return [(x, median(y for _, y in same)) for x, same in groupby(merged, key=lambda point: point[0])]


def _floor_rises(points: Sequence[Point]) -> bool:
    """Whether the lower quartile of each sixth of x is above the one before, without a step among them."""
    first, last = points[0][0], points[-1][0]
    if first >= last:
        return False
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for x, y in points:
        parts[min(int((x - first) / (last - first) * PARTS), PARTS - 1)].append(y)
    if not all(parts):
        return False
    floors = [sorted(part)[len(part) // 4] for part in parts]
    whole, rises = floors[-1] - floors[0], [after - before for before, after in pairwise(floors)]
    least = LEAST_RISE * whole / len(rises)
    missed = sum(rise < least for rise in rises)
    return whole > 0 and max(rises) <= MOST_RISE * whole and rises[-1] >= least and missed <= 1


def _trend(points: Sequence[Point]) -> Trend:
    slopes = sorted((y2 - y1) / (x2 - x1) for at, (x1, y1) in enumerate(points) for x2, y2 in points[at + 1 :])
    order = sum((slope > 0) - (slope < 0) for slope in slopes)  # Kendall's S
    deviation = math.sqrt(_variance([y for _, y in points]))
    if not deviation:
        return Trend(slope=0.0, lower_slope=0.0, p=1.0)
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * deviation
    return Trend(
        slope=median(slopes),
        lower_slope=slopes[max(0, int((len(slopes) - reach) / 2))],
        p=1 - NormalDist().cdf((order - 1) / deviation),
    )


def _variance(values: Sequence[float]) -> float:
    """Of Kendall's S if there is no trend; equal values make it less."""
    count = len(values)
    ties = sum(equal * (equal - 1) * (2 * equal + 5) for equal in Counter(values).values())
    return (count * (count - 1) * (2 * count + 5) - ties) / 18
