"""Engines around a model of dice."""

from pathlib import Path

import pytest

pytest.importorskip("tokenizers")

from uml_core.testing.dice import Dice, dice_tokenizer
from uml_core.types import ModelSource, Plan
from uml_core.worker.text import TextEngine


@pytest.fixture(scope="session")
def tokenizer():
    return dice_tokenizer()


@pytest.fixture
def make(tokenizer):
    """Make an engine around a :class:`Dice`, and give both."""
    engines = []

    def made(**how):
        source = ModelSource(path=Path("m"), format="gguf", files=(), size_bytes=0)
        model = Dice(tokenizer, **how)
        plan = Plan(model_id="m", model=source, backend="x", tasks=(), context_length=model.context_length)
        engines.append(TextEngine(model, plan))
        return engines[-1], model

    yield made
    for engine in engines:
        engine.close()
