"""Series as workers make them: what is a leak is found, what only looks like one is not.

Half an hour, a sample each 5 seconds; sizes in MB, so that noise is a few of them.
"""

from __future__ import annotations

import math
import random

import pytest

from uml_core.supervisor.leak import Leak, LeakDetector, Sample
from uml_core.supervisor.trend import find_growth, thin

MB = 1_000_000
EVERY_S = 5.0
COUNT = 361
LIMIT = 1000 * MB
TIGHT = 800 * MB
NEAR = int(500.001 * MB)
"""Just above where the series begin: any growth at all is to be acted upon."""
SEEDS = range(200)


def noise(rng, size=1.0):
    return [rng.gauss(0, size) for _ in range(COUNT)]


def slow_noise(rng, kept):
    """Noise that remembers: each value is *kept* of the one before."""
    value, values = rng.gauss(0, 1), []
    for _ in range(COUNT):
        value = kept * value + rng.gauss(0, math.sqrt(1 - kept * kept))
        values.append(value)
    return values


def sawtooth(rng, period):
    begin = rng.random() * period
    return [(at + begin) % period / period * 50 + rng.gauss(0, 1) for at in range(COUNT)]


def plateau(rng, begin, end, height=50):
    return [height * min(1, max(0, (at - begin) / (end - begin))) + rng.gauss(0, 1) for at in range(COUNT)]


def filling(rng, time):
    return [50 * (1 - math.exp(-at / time)) + rng.gauss(0, 1) for at in range(COUNT)]


def steps(rng, count):
    steps_at = [rng.randrange(COUNT) for _ in range(count)]
    return [sum(50 for step in steps_at if at >= step) + rng.gauss(0, 1) for at in range(COUNT)]


def growing(rng, rise, spikes=0.0):
    return [rise * at / COUNT + rng.gauss(0, 1) + (rng.random() < 0.2) * rng.random() * spikes for at in range(COUNT)]


def judge(values, *, limit=LIMIT, requests=lambda at: at * 10, base=500.0, **settings) -> Leak | None:
    detector = LeakDetector(warm_up_requests=0, **settings)
    for at, value in enumerate(values):
        detector.add(Sample(1e6 + at * EVERY_S, requests(at), int((base + value) * MB)))
    return detector.verdict(limit)


@pytest.mark.parametrize(("kept", "most"), [(0.0, 0), (0.9, 2), (0.99, 6)])
def test_noise_is_taken_for_a_leak_in_3_percent_at_most(kept, most):
    """Of 200 series, with the limit so near that any growth would count; 0 of white noise, which has no memory."""
    found = [seed for seed in SEEDS if judge(slow_noise(random.Random(seed), kept), limit=NEAR)]
    assert len(found) <= most


@pytest.mark.parametrize("period", [20, 60, 100, 140, 180])
def test_a_sawtooth_is_no_leak(period):
    """Garbage collection, up to teeth of a quarter of an hour; noise at such teeth has the half window see one rise."""
    found = [seed for seed in range(30) if judge(sawtooth(random.Random(seed), period), limit=TIGHT)]
    assert not found


@pytest.mark.parametrize(("begin", "end"), [(0, 60), (0, 200), (100, 140), (200, 260), (250, 300)])
def test_a_cache_that_fills_up_and_stays_is_no_leak(begin, end):
    found = [seed for seed in range(30) if judge(plateau(random.Random(seed), begin, end), limit=NEAR)]
    assert not found


@pytest.mark.parametrize("count", [1, 2, 3])
def test_steps_are_no_leak(count):
    found = [seed for seed in range(30) if judge(steps(random.Random(seed), count), limit=NEAR)]
    assert not found


def test_a_growth_that_fades_is_projected_by_what_it_does_at_last():
    values = filling(random.Random(1), 100)
    early = (values[60] - values[0]) / 60 * 3600 / EVERY_S
    leak = judge(values, limit=NEAR)
    assert leak is None or leak.lower_slope < early * MB / 20
    assert judge(values) is None


@pytest.mark.parametrize(("rise", "least"), [(4, 0.9), (8, 1.0), (40, 1.0)])
def test_a_leak_is_found_once_it_stands_out_of_the_noise(rise, least):
    """4 MB of growth in 1 MB of noise: in 9 of 10; 8 MB: always."""
    leaks = [judge(growing(random.Random(seed), rise), limit=NEAR) for seed in range(30)]
    assert sum(leak is not None for leak in leaks) >= least * len(leaks)


@pytest.mark.parametrize("seed", range(5))
def test_the_projection(seed):
    """20 MB in half an hour, from 520 MB to 1000 MB: 12 hours, and what it says is a lower bound of the slope."""
    leak = judge(growing(random.Random(seed), 20))
    assert leak
    assert (leak.which, leak.act, leak.limit) == ("memory", False, LIMIT)
    by_hour = 1.0 if leak.per == "hour" else 10 * 3600 / EVERY_S
    assert leak.slope * by_hour == pytest.approx(40 * MB, rel=0.05)
    assert 0.85 * leak.slope < leak.lower_slope < leak.slope
    assert 12 * 3600 < leak.projected_s < 14 * 3600
    assert leak.level == pytest.approx(520 * MB, rel=0.01)


def test_spikes_of_requests_do_not_hide_a_leak():
    assert all(judge(growing(random.Random(seed), 20, spikes=40)) for seed in range(5))


def test_a_leak_that_takes_longer_than_a_day_is_let_be():
    values = growing(random.Random(1), 20)
    assert judge(values, limit=1400 * MB)
    assert judge(values, limit=1600 * MB) is None


@pytest.mark.parametrize(("rise", "limit"), [(200, 1000 * MB), (20, 570 * MB)])
def test_it_is_time_to_act_within_an_hour_or_above_nine_tenths(rise, limit):
    leak = judge(growing(random.Random(2), rise), limit=limit)
    assert leak
    assert leak.act


def test_above_nine_tenths_without_growth_is_no_leak():
    assert judge(noise(random.Random(3)), limit=510 * MB) is None


def test_a_fast_leak_is_found_in_half_the_window():
    """It began ten minutes after the start: too late to have grown all the time."""
    values = plateau(random.Random(4), 150, 10_000, height=10_000)
    leak = judge(values, limit=1000 * MB)
    assert leak
    assert leak.act
    assert leak.projected_s < 1800


def test_a_leak_by_requests_is_found_though_they_come_in_bursts():
    """Ten minutes of requests, the rest idle: by time that is a ramp and a plateau."""
    rng = random.Random(5)
    answered = [min(at, 120) * 10 + max(0, at - 350) * 10 for at in range(COUNT)]
    values = [answer * 0.05 + rng.gauss(0, 1) for answer in answered]
    leak = judge(values, requests=lambda at: answered[at])
    assert leak
    assert leak.per == "request"
    assert leak.slope == pytest.approx(0.05 * MB, rel=0.1)


def test_a_leak_by_time_without_any_request():
    leak = judge(growing(random.Random(6), 30), requests=lambda at: 0)
    assert leak
    assert leak.per == "hour"


def test_descriptors_and_devices_leak_too():
    detector = LeakDetector(warm_up_requests=0)
    for at in range(COUNT):
        detector.add(Sample(at * EVERY_S, at, 500 * MB, device_bytes=at * MB, fds=20 + at // 30))
    assert detector.verdict(LIMIT) is None
    fds = detector.verdict(LIMIT, fds_limit=100)
    assert fds
    assert (fds.which, fds.level, fds.limit) == ("fds", 31, 100)
    device = detector.verdict(LIMIT, device_limit_bytes=400 * MB, fds_limit=1024)
    assert device
    assert (device.which, device.act) == ("device", True)


@pytest.mark.parametrize("unlimited", [None, -1])
def test_what_has_no_limit_is_not_judged(unlimited):
    detector = LeakDetector(warm_up_requests=0)
    for at in range(COUNT):
        detector.add(Sample(at * EVERY_S, at, 500 * MB, device_bytes=at * MB, fds=at))
    assert detector.verdict(LIMIT, device_limit_bytes=unlimited, fds_limit=unlimited) is None


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            {"which": "memory", "per": "request", "slope": 1.234e6, "projected_s": 7200.0},
            "memory grows by 1.23 MB a request (now 500 MB) and reaches 1000 MB in about 2.0 h",
        ),
        (
            {"which": "fds", "per": "hour", "slope": 60.0, "level": 100, "limit": 1024, "projected_s": 600.0},
            "the number of open files grows by 60 an hour (now 100) and reaches 1024 in about 10 min",
        ),
    ],
)
def test_the_sentence(facts, sentence):
    usual = {"lower_slope": 1.0, "level": 500 * MB, "limit": LIMIT, "act": False}
    assert str(Leak(**{**usual, **facts})) == sentence


def test_what_can_not_be_read_is_not_judged():
    detector = LeakDetector(warm_up_requests=0)
    for at in range(COUNT):
        detector.add(Sample(at * EVERY_S, at, 500 * MB))
    assert detector.verdict(LIMIT, device_limit_bytes=1, fds_limit=1) is None


@pytest.mark.parametrize(
    "settings", [{"warm_up_requests": 3600, "warm_up_s": 1e9}, {"warm_up_requests": 10**9, "warm_up_s": 1800.0}]
)
def test_the_warm_up_is_left_out(settings):
    detector = LeakDetector(**settings)
    for at, value in enumerate(plateau(random.Random(7), 0, 360, height=300) + noise(random.Random(8))):
        detector.add(Sample(at * EVERY_S, at * 10, int((500 + value) * MB)))
        if at % 60 == 0:
            assert detector.verdict(LIMIT) is None


def test_too_little_to_judge():
    values = growing(random.Random(9), 200)
    assert judge(values[:95]) is None
    assert judge(values[:170]) is None  # enough samples, but of less than half the window
    assert judge(values[::4]) is None
    assert judge([]) is None


def test_samples_that_come_seldom_make_the_window_longer():
    """One a minute, as while idle: a hundred of them are more than an hour and a half."""
    detector = LeakDetector(warm_up_requests=0)
    for at, value in enumerate(growing(random.Random(10), 160)):
        detector.add(Sample(at * 60.0, 0, int((500 + value) * MB)))
    leak = detector.verdict(LIMIT)
    assert leak
    assert leak.slope == pytest.approx(160 * MB / (COUNT / 60), rel=0.2)


def test_samples_that_come_often_do_not_pile_up():
    detector = LeakDetector(warm_up_requests=0)
    for at in range(20_000):
        detector.add(Sample(at * 0.1, at, 500 * MB + at * 1000))
    assert len(detector._samples) <= 2000
    leak = detector.verdict(LIMIT)
    assert leak
    assert leak.slope == pytest.approx(1000, rel=0.01)


def test_it_forgets_what_left_the_window():
    detector = LeakDetector(warm_up_requests=0)
    for at in range(1000):
        detector.add(Sample(at * EVERY_S, at, 500 * MB))
    assert len(detector._samples) == COUNT


def test_thinning_merges_what_has_the_same_x():
    assert thin([(1, 1), (1, 3), (2, 5)]) == [(1, 2), (2, 5)]
    assert len(thin([(at, at) for at in range(1001)])) <= 120


@pytest.mark.parametrize(
    "points", [[], [(1.0, 1.0)] * 300, [(at, 1.0) for at in range(300)], [(at, at) for at in range(5)]]
)
def test_no_growth_to_find(points):
    assert find_growth(points) is None


def test_the_slope_is_that_of_theil_and_sen():
    """Sen's own estimate on exact data with odd ones in it."""
    points = [(float(at), 3.0 * at) for at in range(60)]
    points[10] = (10.0, 5000.0)
    trend = find_growth(points)
    assert trend
    assert trend.slope == pytest.approx(3.0)
    assert trend.lower_slope == pytest.approx(3.0, rel=0.01)
    assert trend.p < 1e-6
