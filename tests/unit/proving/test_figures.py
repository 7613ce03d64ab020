import math

import pytest
from proving.figures import least_availability, most_failures, percentile


@pytest.mark.parametrize(
    ("failures", "bound"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (3, 7.7537), (5, 10.5130), (10, 16.9622)]
)
def test_upper_bound_of_what_was_seen(failures, bound):
    assert most_failures(failures) == pytest.approx(bound, abs=1e-3)


@pytest.mark.parametrize(("failures", "requests"), [(0, 2996), (1, 4744), (2, 6296), (5, 10514)])
def test_requests_needed_for_three_nines(failures, requests):
    assert least_availability(failures, requests) >= 0.999
    assert least_availability(failures, requests - 2) < 0.999


def test_nothing_is_claimed_of_nothing():
    assert least_availability(0, 0) == 0
    assert least_availability(400, 400) == 0
    assert math.isnan(percentile([], 0.5))


def test_percentiles_are_values_that_were_seen():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, part) for part in (0.0, 0.5, 0.95, 1.0)] == [1.0, 3.0, 5.0, 5.0]
