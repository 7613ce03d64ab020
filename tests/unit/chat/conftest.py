"""A vocabulary, and somebody who writes whatever a grammar allows."""

from collections.abc import Callable

import pytest
from small_vocabulary import make_tokenizer, write

from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer


@pytest.fixture
def tokenizer_of() -> Callable[..., HuggingFaceTokenizer]:
    return make_tokenizer


@pytest.fixture
def written() -> Callable[..., str]:
    return write
