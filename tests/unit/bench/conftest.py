from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from uml_core.bench.rig import Running
from uml_core.bench.scope import Effort, Scope
from uml_core.client import Answer
from uml_core.errors import BadRequestError
from uml_core.types import LoadRequest


class Clock:
    """Time that only passes when somebody says so."""

    now_s = 1000.0

    def monotonic(self):
        return self.now_s


def chunks(clock, tokens, *, prompt_tokens=10, token_s=0.001, **usage):
    """The chunks of a stream, one token each."""
    for _ in range(tokens):
        clock.now_s += token_s
        yield {"choices": [{"delta": {"content": "word "}}]}
    counted = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, **usage}
    yield {"choices": [{"delta": {}, "finish_reason": "length"}], "usage": counted}


class FakeRig:
    """Loads nothing, and answers at the speed that a test gives to backend, threads and spin; it keeps a diary."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.token_s: Callable[[Running], float] = lambda _: 0.001
        self.loads: list[LoadRequest] = []
        self.asked: list[tuple[Any, int]] = []
        self.now: Running | None = None
        self.generation = 0
        self.refuses_system = False
        self.on_load: Callable[[LoadRequest], object] = lambda _: None
        self.on_chat: Callable[[], object] = lambda: None

    def load(self, request):
        assert self.now is None, "what was loaded before is still there"
        self.loads.append(request)
        self.on_load(request)
        self.generation += 1
        self.now = Running(
            model=request.model,
            backend=request.backend,
            generation=self.generation,
            pid=os.getpid(),
            context_length=request.context_length or 4096,
            threads=request.threads,
            spin=request.spin,
        )

    def unload(self):
        self.now = None

    def running(self):
        return self.now

    def chat(self, messages, parameters):
        if self.refuses_system and messages[0]["role"] == "system":
            raise BadRequestError("the template knows no system")
        self.on_chat()
        self.asked.append((messages, parameters["max_tokens"]))
        return Answer(chunks(self.clock, parameters["max_tokens"], token_s=self.token_s(self.now)))


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in ("timing", "questions", "bench"):
        monkeypatch.setattr(f"uml_core.bench.{module}.time", clock)
    return clock


@pytest.fixture
def rig(clock):
    return FakeRig(clock)


@pytest.fixture
def answer(clock):
    return lambda tokens, **rest: Answer(chunks(clock, tokens, **rest))


@pytest.fixture
def scope():
    def make(**said: Any) -> Scope:
        known = {
            "request": LoadRequest(model="tiny"),
            "model_id": "tiny",
            "model_bytes": 7,
            "machine": "here",
            "backends": ("a", "b"),
            "usual": (1, None),
            "effort": Effort(runs=2, answer_tokens=4, prompt_tokens=20, busy_s=1.0),
            "engines": {"a": "engine 1.0"},
        }
        return Scope(**{**known, **said})

    return make
