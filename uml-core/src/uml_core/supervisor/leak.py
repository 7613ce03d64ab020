"""Whether a worker leaks: its memory, device memory or descriptors grow with its requests, or with time, for good.

A cache that fills up and then stays is no leak, nor is a sawtooth: see :mod:`uml_core.supervisor.trend`. A sawtooth
whose teeth are longer than the window can't be told from a leak before it falls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal

from attrs import frozen

from uml_core.supervisor.trend import Point, find_growth

Which = Literal["memory", "device", "fds"]
Per = Literal["request", "hour"]

WARM_UP_REQUESTS = 50
WARM_UP_S = 600.0
WINDOW_S = 1800.0
LEAST_SAMPLES = 100
MOST_SAMPLES = 2000
WARN_S = 24 * 3600.0
ACT_S = 3600.0
FULL = 0.9
SPAN = 0.9
"""The part of the window that samples must cover: they don't begin and end with it."""
HOUR_S = 3600.0


@frozen
class Sample:
    """What a worker's tree holds at one moment of the monotonic clock, after so many requests since its launch."""

    at_s: float
    requests: int
    anon_bytes: int
    device_bytes: int | None = None
    fds: int | None = None


Series = Sequence[tuple[Sample, int]]


@frozen(kw_only=True)
class Leak:
    """A growth that will reach a limit; sizes in bytes, or descriptors.

    ``slope`` is by request or by hour, ``lower_slope`` the lower end of its 95 % interval, ``projected_s`` the seconds
    until ``limit`` at that lower slope (and at the recent rate of requests). ``act``: it is time to do something.
    """

    which: Which
    per: Per
    slope: float
    lower_slope: float
    level: float
    limit: int
    projected_s: float
    act: bool

    def __str__(self) -> str:
        unit, size = ("", 1) if self.which == "fds" else (" MB", 1_000_000)
        what = {"memory": "memory", "device": "device memory", "fds": "the number of open files"}[self.which]
        grows = f"{what} grows by {self.slope / size:.3g}{unit} {'a request' if self.per == 'request' else 'an hour'}"
        hours = self.projected_s / HOUR_S
        when = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
        return f"{grows} (now {self.level / size:.0f}{unit}) and reaches {self.limit / size:.0f}{unit} in about {when}"


class LeakDetector:
    """Takes samples of one worker and says whether it leaks.

    Samples are left out until it has answered *warm_up_requests* or is *warm_up_s* old, whichever comes first. A
    verdict needs *least_samples*, over *window_s*; when it is time to act, over half of that.
    """

    def __init__(
        self,
        *,
        warm_up_requests: int = WARM_UP_REQUESTS,
        warm_up_s: float = WARM_UP_S,
        window_s: float = WINDOW_S,
        least_samples: int = LEAST_SAMPLES,
    ) -> None:
        self._warm_up_requests, self._warm_up_s = warm_up_requests, warm_up_s
        self._window_s, self._least = window_s, least_samples
        self._first_s: float | None = None
        self._samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """Take a sample, later than all before; one that comes too soon after the last is left out."""
        self._first_s = sample.at_s if self._first_s is None else self._first_s
        if sample.requests < self._warm_up_requests and sample.at_s - self._first_s < self._warm_up_s:
            return
        if self._samples and sample.at_s - self._samples[-1].at_s < self._window_s / MOST_SAMPLES:
            return
        self._samples.append(sample)
        gone = bisect_left(self._samples, sample.at_s - self._window_s, key=lambda old: old.at_s)
        del self._samples[: max(0, min(gone, len(self._samples) - self._least))]

    def verdict(
        self, limit_bytes: int, *, device_limit_bytes: int | None = None, fds_limit: int | None = None
    ) -> Leak | None:
        """The leak that reaches its limit first, if within a day; None if there is none.

        Takes up to 30 ms when something grows, next to nothing otherwise.

        :param limit_bytes: what the worker's memory may grow to
        :param device_limit_bytes: the same on devices; None (or -1, "no limit") if that isn't to be judged
        :param fds_limit: as above, of descriptors
        """
        found = (
            self._judge("memory", lambda sample: sample.anon_bytes, limit_bytes),
            self._judge("device", lambda sample: sample.device_bytes, device_limit_bytes),
            self._judge("fds", lambda sample: sample.fds, fds_limit),
        )
        return min((leak for leak in found if leak), key=lambda leak: leak.projected_s, default=None)

    def _judge(self, which: Which, read: Callable[[Sample], int | None], limit: int | None) -> Leak | None:
        series = [(sample, value) for sample in self._samples if (value := read(sample)) is not None]
        if limit is None or limit <= 0 or len(series) < self._least:
            return None
        leak = self._look(series, which, limit, span_s=self._window_s)
        if leak and (leak.act or leak.projected_s < WARN_S):
            return leak
        middle_s = series[-1][0].at_s - self._window_s / 2
        later = [(sample, value) for sample, value in series if sample.at_s >= middle_s]
        leak = self._look(later, which, limit, span_s=self._window_s / 2)
        return leak if leak and leak.act else None

    def _look(self, series: Series, which: Which, limit: int, *, span_s: float) -> Leak | None:
        """The growth in *series*, by requests or by time, whichever explains it better."""
        first, last = series[0][0], series[-1][0]
        if len(series) < self._least or last.at_s - first.at_s < SPAN * span_s:
            return None
        hours = (last.at_s - first.at_s) / HOUR_S
        ways: tuple[tuple[Per, float, list[Point]], ...] = (
            (
                "request",
                (last.requests - first.requests) / hours,
                [(sample.requests, value) for sample, value in series],
            ),
            ("hour", 1.0, [(sample.at_s / HOUR_S, value) for sample, value in series]),
        )
        grown = [(per, rate, trend) for per, rate, points in ways if (trend := find_growth(points))]
        if not grown:
            return None
        per, rate, trend = max(grown, key=lambda way: way[2].lower_slope / way[2].slope)
        level = median(value for _, value in series[-5:])
        projected_s = max(0.0, limit - level) / (trend.lower_slope * rate) * HOUR_S
        return Leak(
            which=which,
            per=per,
            slope=trend.slope,
            lower_slope=trend.lower_slope,
            level=level,
            limit=limit,
            projected_s=projected_s,
            act=projected_s < ACT_S or level > FULL * limit,
        )
