"""The engine that is made of a model: many answers at once, each of them whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

import attrs

from uml_core.types import Plan
from uml_core.worker.delta import WAIT, Delta, Piece
from uml_core.worker.requests import ChatRequest, CompletionRequest, GenerationRequest
from uml_core.worker.text.batch import Batch
from uml_core.worker.text.chat import Chats
from uml_core.worker.text.choice import Chosen, Sampler
from uml_core.worker.text.model import TokenModel
from uml_core.worker.text.numpy_sampler import NumpySampler
from uml_core.worker.text.prepared import Preparation, Prepared
from uml_core.worker.text.slots import Slots
from uml_core.worker.text.turn import Turn
from uml_core.worker.text.wording import Wording

R = TypeVar("R", bound=GenerationRequest)

HONOURS: Final = frozenset(
    {
        "add_generation_prompt",
        "chat_template_kwargs",
        "continue_final_message",
        "grammar",
        "json_schema",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "parallel_tool_calls",
        "reasoning_effort",
        "regex",
        "response_format",
        "stop",
        "tool_choice",
        "tools",
        "top_logprobs",
    }
)


class TextEngine:
    """What ``serve`` asks for chats and completions, around a model that only computes.

    ``parallel`` answers go on at once, each in a slot of the model. ``prepare`` is called from any thread, everything
    else in the one that loaded the model.
    """

    honours = HONOURS

    def __init__(self, model: TokenModel, plan: Plan, *, sampler: Sampler | None = None) -> None:
        self.model = model
        self.parallel = model.slots
        self._slots = Slots(model)
        self._batch = Batch(model, sampler or NumpySampler(), self._slots)
        self._chats = Chats(model.tokenizer, plan)
        self._preparation = Preparation(model, self._chats)

    def prepare(self, request: R) -> R:
        """Do what needs no model: render, tokenize, compile.

        :raises UMLError: what the request wants can't be; ``param`` names the field
        """
        return attrs.evolve(request, prepared=self._preparation.of(request))

    def chat(self, request: ChatRequest) -> Iterator[Piece]:
        """Answer in a chat."""
        return self._answer(request)

    def complete(self, request: CompletionRequest) -> Iterator[Piece]:
        """Go on with a text."""
        return self._answer(request)

    def step(self) -> None:
        """Compute once for all answers that wait.

        :raises Exception: the model failed; those answers are lost
        """
        self._batch.step()

    def close(self) -> None:
        """Give everything back."""
        self._chats.close()
        self.model.close()

    def _answer(self, request: GenerationRequest) -> Iterator[Piece]:
        prepared: Prepared = request.prepared or self._preparation.of(request)
        return self._go(request, prepared)

    def _go(self, request: GenerationRequest, prepared: Prepared) -> Iterator[Piece]:
        while (slot := self._slots.take(prepared.tokens)) is None:
            yield WAIT
        turn = prepared.turn(slot, request, self.model.tokenizer)
        self._batch.add(turn)
        try:
            yield Delta(prompt_tokens=len(prepared.tokens), cached_tokens=len(slot.past))
            yield from self._write(turn, prepared, prepared.wording(self.model.tokenizer, request))
        finally:
            self._batch.remove(turn)
            self._slots.give_back(slot)

    def _write(self, turn: Turn, prepared: Prepared, wording: Wording) -> Iterator[Piece]:
        count, reason = 0, ""
        while not reason:
            while (chosen := turn.take()) is None:
                yield WAIT
            if chosen.token in self.model.tokenizer.ends:
                break
            count += 1
            reason = self._reason(turn, chosen, full=count == prepared.room)
            yield from wording.feed(chosen)
            reason = "stop" if wording.stopped else reason
        yield from self._ending(wording, reason or "stop", count)

    def _reason(self, turn: Turn, chosen: Chosen, *, full: bool) -> str:
        """Why the answer ends with this token; if it doesn't, the next one is asked for."""
        if not turn.accept(chosen.token):
            return "stop"
        if full:
            return "length"
        turn.slot.pending.append(chosen.token)
        return ""

    def _ending(self, wording: Wording, reason: str, count: int) -> Iterator[Piece]:
        yield from wording.finish()
        if wording.called and reason == "stop":
            reason = "tool_calls"
        yield Delta(finish_reason=reason, completion_tokens=count, reasoning_tokens=wording.thought)
