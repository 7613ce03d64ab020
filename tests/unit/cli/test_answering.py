"""Which models can answer a person, and in which order."""

import pytest

from uml_core.cli.answering import answering


@pytest.fixture
def card():
    def make(id, *, used=None, **facts):
        usual = {"kind": "model", "format": "gguf", "complete": True, "tasks": ["text-generation"]}
        return {"id": id, **usual, "usage": {"last_used": used}, **facts}

    return make


def test_only_what_writes_and_can_be_loaded(card):
    cards = [
        card("embedder", tasks=["feature-extraction"]),
        card("seeing", tasks=["image-text-to-text", "text-generation"]),
        card("of no backend", format="safetensors"),
        card("half", complete=False),
        card("projector", kind="projector", tasks=[]),
        card("broken", kind=None, format=None),
        card("of no said task", format="mine", tasks=[]),
    ]
    assert answering(cards, {"gguf", "mine"}) == ["seeing", "of no said task"]


def test_what_was_used_last_comes_first_and_the_rest_as_listed(card):
    cards = [card("b"), card("old", used="2026-11-01T00:00:00Z"), card("a"), card("new", used="2026-11-22T00:00:00Z")]
    assert answering(cards, ["gguf"]) == ["new", "old", "b", "a"]
