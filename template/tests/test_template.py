"""What the kit can't know: that the words are those of the text, and that the bundled model is found."""

import pytest

from uml_core import plugins
from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.types import ModelSource, Plan
from uml_core.worker import CompletionRequest, Delta
from uml_template import plugin
from uml_template.format import PARROT
from uml_template.worker import Engine


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "m.markov"
    path.write_text("MARKOV1\na b c a b d")
    model = ModelSource(path=path, format="markov", files=(path,), size_bytes=1)
    plan = Plan(model_id="m", model=model, backend="template", tasks=(), context_length=8, options={"order": 2})
    return Engine(plan, lambda part: None)


def answer(engine, prompt, seed=1):
    return list(engine.complete(CompletionRequest(prompt=prompt, seed=seed)))


def test_it_goes_on_as_the_text_does(engine):
    first, *words = answer(engine, "b c")
    assert first == Delta(prompt_tokens=2)
    assert words[:2] == ["a ", "b "]
    assert words[2] in {"c ", "d "}
    assert len(words) == 6


def test_a_seed_gives_the_same_answer_again(engine):
    assert answer(engine, "x", seed=5) == answer(engine, "x", seed=5)
    assert len({tuple(answer(engine, "x", seed=seed)[1:]) for seed in range(20)}) > 1


def test_the_bundled_model_is_found_and_read():
    loaded = plugins.load(builtins={"template": plugin}, entry_points=(), strict=True)
    (store,) = loaded.stores()
    (model,) = store.list()
    assert (model.id, inspect(model.path, loaded.formats()).format) == ("parrot", "markov")
    assert model.path == PARROT


def test_a_file_without_text_is_refused(tmp_path):
    path = tmp_path / "empty.markov"
    path.write_text("MARKOV1\n")
    loaded = plugins.load(builtins={"template": plugin}, entry_points=(), strict=True)
    with pytest.raises(InvalidModelFileError, match=r"'empty\.markov' holds no text"):
        inspect(path, loaded.formats())
