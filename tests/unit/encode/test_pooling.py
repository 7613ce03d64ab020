"""From the hidden states of tokens to one vector."""

import numpy as np
import pytest

from uml_core.worker.encode.pooling import WAYS, pool

HIDDEN = np.array([[[1, -8], [2, 4], [6, 1]], [[3, 5], [7, 1], [99, 99]]], np.float32)
MASK = np.array([[1, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("way", "rows"),
    [
        ("cls", [[1, -8], [3, 5]]),
        ("max", [[6, 4], [7, 5]]),
        ("mean", [[3, -1], [5, 3]]),
        ("mean_sqrt_len_tokens", [[9 / 3**0.5, -3 / 3**0.5], [10 / 2**0.5, 6 / 2**0.5]]),
        ("weightedmean", [[23 / 6, 3 / 6], [17 / 3, 7 / 3]]),
        ("lasttoken", [[6, 1], [7, 1]]),
    ],
)
def test_what_fills_up_counts_for_nothing(way, rows):
    assert pool(HIDDEN, MASK, [way]) == pytest.approx(np.array(rows))


def test_every_way_is_tried_and_several_go_side_by_side():
    assert len(WAYS) == 6
    both = pool(HIDDEN, MASK, ["cls", "lasttoken"])
    assert both.tolist() == [[1, -8, 6, 1], [3, 5, 7, 1]]
    assert both.dtype == np.float32
