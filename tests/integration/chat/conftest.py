"""Templates in their real process."""

from collections.abc import Callable, Iterator

import pytest

from uml_core.worker.text.template import ChatTemplate


@pytest.fixture
def template() -> Iterator[Callable[..., ChatTemplate]]:
    made: list[ChatTemplate] = []

    def make(source: str, *, longest: int = 1 << 20, **others: str) -> ChatTemplate:
        names = {"bos_token": "<s>", "eos_token": "</s>"}
        made.append(ChatTemplate({"default": source, **others}, names, longest=longest))
        return made[-1]

    yield make
    for one in made:
        one.close()
