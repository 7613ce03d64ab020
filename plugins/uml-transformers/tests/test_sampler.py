"""The sampler on the device chooses what the one in memory chooses."""

from collections import Counter

import numpy as np
import pytest

from uml_core.worker.text import Choice
from uml_core.worker.text.numpy_sampler import NumpySampler

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.engine

N_VOCAB = 2500
MASK = np.zeros(-(-N_VOCAB // 32), np.int32)
MASK[[3, 50, 78]] = [0b1011, -1, 1]
CHOICES = {
    "greedy": {"temperature": 0.0},
    "plain": {},
    "cold": {"temperature": 0.3},
    "hot": {"temperature": 3.0, "top_p": 0.95},
    "top_k": {"top_k": 7},
    "top_k of one": {"top_k": 1, "temperature": 2.0},
    "more than all": {"top_k": 9999},
    "top_p": {"top_p": 0.7},
    "nearly all": {"top_p": 0.9999},
    "min_p": {"min_p": 0.05, "temperature": 1.5},
    "everything": {"top_k": 40, "top_p": 0.9, "min_p": 0.02, "temperature": 0.8},
    "typical": {"typical_p": 0.6},
    "typical and top_p": {"typical_p": 0.9, "top_p": 0.8},
    "bias": {"bias": {5: 12.0, 9: -30.0}, "temperature": 0.0},
    "penalties": {"counts": Counter({1: 2, 7: 1}), "repeat": 1.3, "presence": 0.5, "frequency": 0.2, "top_k": 5},
    "mask": {"mask": MASK, "temperature": 0.0},
    "mask and draw": {"mask": MASK, "top_p": 0.9},
    "logprobs": {"logprobs": 0, "temperature": 0.0},
    "top logprobs": {"logprobs": 4, "top_k": 3, "bias": {5: 4.0}},
}


def choices(seed):
    return [Choice(**said, random=np.random.default_rng(seed + at)) for at, said in enumerate(CHOICES.values())]


def logits(seed, spread):
    drawn = np.random.default_rng(seed).normal(0, spread, (len(CHOICES), N_VOCAB))
    return drawn.astype(np.float32)


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(6))
def test_as_in_memory(seed, spread):
    from uml_transformers.sampler import TorchSampler

    expected = NumpySampler().choose(logits(seed, spread), choices(seed))
    found = TorchSampler().choose(torch.from_numpy(logits(seed, spread)), choices(seed))
    for name, one, other in zip(CHOICES, found, expected, strict=True):
        assert one.token == other.token, name
        assert one.logprob == pytest.approx(other.logprob, abs=1e-5), name
        assert [token for token, _ in one.top] == [token for token, _ in other.top], name
        assert [value for _, value in one.top] == pytest.approx([value for _, value in other.top], abs=1e-5)


@pytest.mark.parametrize("name", CHOICES)
def test_each_alone(name):
    from uml_transformers.sampler import TorchSampler

    for seed in range(8):
        row = logits(seed, 2.0)[:1]
        one, other = (
            sampler.choose(given, [Choice(**CHOICES[name], random=np.random.default_rng(seed))])[0]
            for sampler, given in ((TorchSampler(), torch.from_numpy(row.copy())), (NumpySampler(), row.copy()))
        )
        assert one.token == other.token


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_that_gives_no_number_is_no_token(temperature):
    from uml_transformers.sampler import TorchSampler

    broken = torch.full((2, 64), float("nan"))
    broken[0] = 0.0
    with pytest.raises(FloatingPointError, match="no finite number"):
        TorchSampler().choose(broken, [Choice(temperature=temperature)] * 2)
