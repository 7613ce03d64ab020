"""The choice of tokens, against plain definitions of what each option means."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uml_core.worker.text.choice import Choice
from uml_core.worker.text.numpy_sampler import NumpySampler, likeliest

VOCAB = 1000


def logits(seed=0, vocab=VOCAB):
    return np.random.default_rng(seed).normal(0, 3, (1, vocab)).astype(np.float32)


def choose(row, **wishes):
    return NumpySampler().choose(row.copy(), [Choice(**wishes)])[0]


def drawn(row, count=4000, **wishes):
    """How often each token is chosen."""
    random = np.random.default_rng(1)
    return Counter(choose(row, random=random, **wishes).token for _ in range(count))


def chances(row, temperature=1.0):
    weights = np.exp((row[0].astype(np.float64) - row.max()) / temperature)
    return weights / weights.sum()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1), st.booleans())
def test_the_likeliest_are_those_of_a_full_sort(vocab, count, seed, equal):
    row = logits(seed, vocab)[0]
    row = np.round(row) if equal else row
    row[row < -4] = -np.inf
    expected = [token for token in np.argsort(-row, kind="stable")[:count] if np.isfinite(row[token])]
    ids, values = likeliest(row, count)
    assert ids.tolist() == expected
    assert values.tolist() == row[expected].tolist()


def test_without_heat_the_likeliest_is_taken():
    row = logits()
    assert choose(row, temperature=0).token == row.argmax()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_all_are_drawn_by_their_chance(temperature):
    row = logits(vocab=8)
    seen = drawn(row, temperature=temperature)
    for token, chance in enumerate(chances(row, temperature)):
        assert seen[token] / 4000 == pytest.approx(chance, abs=0.035)


def test_top_k():
    row = logits()
    assert set(drawn(row, 500, temperature=9.0, top_k=3)) == set(np.argsort(-row[0])[:3].tolist())


@pytest.mark.parametrize("flat", [False, True])
def test_top_p_takes_the_fewest_that_make_it_up(flat):
    row = logits() * (0.01 if flat else 1)  # flat: more than are looked at first
    order = np.argsort(-row[0])
    count = int((chances(row)[order].cumsum() < 0.7).sum()) + 1
    assert count > 300 if flat else count < 100
    wide = drawn(row, 20000 if flat else 3000, temperature=50.0, top_p=0.7)
    assert set(wide) <= set(order[:count].tolist())
    assert len(wide) == count


def test_min_p_is_a_share_of_the_greatest_chance():
    row = logits()
    expected = {token for token, chance in enumerate(chances(row)) if chance >= 0.2 * chances(row).max()}
    assert set(drawn(row, 1000, temperature=9.0, min_p=0.2)) == expected


def test_typical_p_leaves_the_least_surprising():
    row = np.log(np.array([[0.5, 0.2, 0.1, 0.1, 0.1]], dtype=np.float32))
    assert set(drawn(row, 500, temperature=9.0, typical_p=0.19)) == {1}


def test_a_bias_and_a_mask():
    row = logits()
    best, second = np.argsort(-row[0])[:2].tolist()
    assert choose(row, temperature=0, bias={best: -100.0}).token == second
    mask = np.zeros((VOCAB + 31) // 32, np.int32)
    mask[17 // 32] |= 1 << 17 % 32
    assert choose(row, temperature=0, mask=mask).token == 17
    assert set(drawn(row, 50, mask=mask)) == {17}
    mask[999 // 32] |= np.int32(1 << 999 % 32)
    assert set(drawn(row, 500, temperature=50.0, top_p=0.999999, mask=mask)) == {17, 999}


def test_penalties_of_what_was_said():
    row = np.array([[4.0, 3.9, -1.0]], dtype=np.float32)
    said = Counter({0: 2})
    assert choose(row, temperature=0, counts=said).token == 0
    assert choose(row, temperature=0, counts=said, presence=0.2).token == 1
    assert choose(row, temperature=0, counts=said, frequency=0.04).token == 0
    assert choose(row, temperature=0, counts=said, frequency=0.06).token == 1
    assert choose(row, temperature=0, counts=said, repeat=1.1).token == 1
    assert choose(-row, temperature=0, counts=Counter({2: 1, 1: 1}), repeat=1.5).token == 2


def test_a_seed_gives_the_same_again():
    row = logits() * 0.1
    one, again, other = (
        [choose(row, random=random).token for _ in range(8)] for random in map(np.random.default_rng, (7, 7, 8))
    )
    assert one == again != other


def test_what_the_model_itself_thought():
    row = logits()
    expected = np.log(chances(row))
    chosen = choose(row, temperature=0, bias={3: 100.0}, logprobs=5)
    assert chosen.token == 3
    assert chosen.logprob == pytest.approx(expected[3], abs=1e-4)
    assert [token for token, _ in chosen.top] == np.argsort(-row[0])[:5].tolist()
    assert [value for _, value in chosen.top] == pytest.approx(sorted(expected, reverse=True)[:5], abs=1e-4)
    assert choose(row, logprobs=0).top == ()
    assert choose(row).logprob is None


@pytest.mark.parametrize("broken", [np.nan, -np.inf, np.inf])
def test_a_row_without_a_number_is_an_error(broken):
    row = np.full((1, 8), broken, np.float32)
    with pytest.raises(FloatingPointError):
        choose(row)


def test_an_extreme_heat_and_cold():
    row = logits()
    assert choose(row, temperature=1e-300).token == row.argmax()
    assert 0 <= choose(row, temperature=1e9).token < VOCAB
