"""How fast the model has been lately."""

from __future__ import annotations

from uml_core.server.performance import Performance


def test_medians_of_the_last_answers():
    performance = Performance()
    for number in range(1, 101):
        performance.record(1, tokens=number + 1, first_token_s=number / 10, decoding_s=1.0)
    assert performance.summary(1) == {"requests": 100, "tokens_per_second": 90.5, "time_to_first_token_s": 9.05}


def test_a_new_generation_starts_anew():
    performance = Performance()
    performance.record(1, tokens=5, first_token_s=1, decoding_s=1)
    assert performance.summary(2) == {"requests": 0, "tokens_per_second": None, "time_to_first_token_s": None}
    performance.record(2)
    assert performance.summary(2) == {"requests": 1, "tokens_per_second": None, "time_to_first_token_s": None}
    assert performance.summary(1)["requests"] == 0


def test_what_says_nothing_counts_for_nothing():
    performance = Performance()
    for tokens, seconds in ((1, 1.0), (0, 1.0), (None, 1.0), (5, 0.0)):
        performance.record(1, tokens=tokens, decoding_s=seconds)
    assert performance.summary(1)["tokens_per_second"] is None
