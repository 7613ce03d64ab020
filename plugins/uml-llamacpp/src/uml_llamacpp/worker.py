"""The worker: one model, one request at a time. Run by ``python -P -m uml_llamacpp.worker``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from uml_core.errors import BadRequestError, ContextLengthExceededError
from uml_core.types import Plan
from uml_core.worker import ChatRequest, CompletionRequest, Delta, GenerationRequest, Piece, serve
from uml_llamacpp.options import Options

if TYPE_CHECKING:
    from uml_llamacpp.sampler import Sampler


class Engine:
    """Answers with one sequence, of which the beginning that two requests share is computed once."""

    honours = ("grammar", "json_schema", "logit_bias", "response_format")

    def __init__(self, plan: Plan, progress: Callable[[float], None]) -> None:
        _import_engine()
        from uml_llamacpp.log import EngineLog
        from uml_llamacpp.model import Model
        from uml_llamacpp.sequence import TokenSequence
        from uml_llamacpp.template import ChatTemplate

        progress(0.0)  # what this process holds by now is no model's
        options = Options.model_construct(**plan.options)  # checked when it was planned
        self._log = EngineLog()
        self._model = Model(plan.model.path, options, log=self._log, progress=progress)
        self._sequence = TokenSequence(self._model, plan, options, log=self._log)
        self._template = ChatTemplate(self._model)

    def chat(self, request: ChatRequest) -> Iterator[Piece]:
        return self._answer(self._template.tokens(request.text_messages()), request)

    def complete(self, request: CompletionRequest) -> Iterator[Piece]:
        if isinstance(request.prompt, str):
            tokens = self._model.tokenize(request.prompt, add_special=True)
        else:
            tokens = list(request.prompt)
        if not tokens or not all(0 <= token < self._model.n_vocab for token in tokens):
            raise BadRequestError("'prompt' must be a text, or tokens that the model knows; not empty", param="prompt")
        return self._answer(tokens, request)

    def close(self) -> None:
        self._sequence.close()
        self._model.close()

    def _answer(self, prompt: Sequence[int], request: GenerationRequest) -> Iterator[Piece]:
        from uml_llamacpp.sampler import Sampler

        room = self._sequence.n_ctx - len(prompt)
        if room < 1:
            raise ContextLengthExceededError(
                f"the prompt has {len(prompt)} tokens, but the context holds {self._sequence.n_ctx} with the answer"
            )
        yield Delta(prompt_tokens=len(prompt))
        with closing(Sampler(self._model, request)) as sampler:
            if (yield from self._read(prompt, request)):
                yield from self._write(sampler, min(room, request.max_tokens or room))

    def _read(self, prompt: Sequence[int], request: GenerationRequest) -> Generator[Piece, None, bool]:
        start = self._sequence.rewind(prompt)
        for at in range(start, len(prompt), self._sequence.n_batch):
            if not self._sequence.add(prompt[at : at + self._sequence.n_batch], cancelled=request.cancelled):
                return False
            yield Delta()
        return True

    def _write(self, sampler: Sampler, limit: int) -> Iterator[Piece]:
        for count in range(limit):
            token = sampler.next(self._sequence.context)
            if self._model.ends(token):
                yield Delta(finish_reason="stop", completion_tokens=count)
                return
            yield self._model.piece(token)
            if count + 1 < limit:
                self._sequence.add([token])
        yield Delta(finish_reason="length", completion_tokens=limit)


def _import_engine() -> None:
    """Import llama-cpp-python, which calls a library that is missing or can't be loaded a ``RuntimeError``."""
    try:
        import llama_cpp  # noqa: F401
    except (OSError, RuntimeError) as error:
        raise ImportError(str(error)) from error


def load(plan: Plan, progress: Callable[[float], None]) -> Engine:
    """Load the model of *plan*; what can go wrong is in :class:`uml_llamacpp.model.Model`."""
    return Engine(plan, progress)


if __name__ == "__main__":
    serve(load)
