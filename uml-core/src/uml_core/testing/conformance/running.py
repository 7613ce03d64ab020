"""Tests that share one loaded worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from uml_core.settings import Settings
from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.subject import Subject
from uml_core.testing.conformance.witness import SAMPLE
from uml_core.types import BackendInfo, LoadRequest

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"


class Running(Subject):
    """The worker that most live tests talk to; it is loaded once a class."""

    @pytest.fixture(scope="class")
    @classmethod
    def request_to_load(cls, info: BackendInfo) -> LoadRequest:
        cls.need_engine()
        return LoadRequest(
            model=SAMPLE, backend=info.name, context_length=cls.context_length, options=dict(cls.options)
        )

    @pytest.fixture(scope="class")
    @classmethod
    def live(cls, sample: Path, core_settings: Settings, request_to_load: LoadRequest) -> Iterator[Live]:
        """A supervisor that has loaded the sample."""
        live = Live.start(cls.plugin, sample, core_settings, request_to_load)
        try:
            live.load()
            yield live
        finally:
            live.stop()

    @pytest.fixture(params=[CHAT, COMPLETION], ids=["chat", "completion"])
    def path(self, request: pytest.FixtureRequest) -> str:
        """Each task path that the class declares a prompt for."""
        self.need("chat_prompt" if request.param == CHAT else "completion_prompt")
        return str(request.param)

    def ask(self, path: str, prompt: str = "", **rest: Any) -> dict[str, Any]:
        """A request body for *path* with *prompt*, or with the prompt that the class declares."""
        if path == CHAT:
            return {"messages": [{"role": "user", "content": prompt or self.chat_prompt}], **rest}
        return {"prompt": prompt or self.completion_prompt, **rest}


def text_of(choice: Mapping[str, Any]) -> str:
    """The text of a choice of any kind of answer."""
    part = choice.get("message") or choice.get("delta") or choice
    return part.get("content") or part.get("text") or ""
