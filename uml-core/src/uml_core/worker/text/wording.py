"""From tokens to the pieces of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from uml_core.worker.delta import Delta, Piece
from uml_core.worker.requests import GenerationRequest
from uml_core.worker.text.chat import PreparedChat
from uml_core.worker.text.choice import Chosen
from uml_core.worker.text.logprobs import Logprobs
from uml_core.worker.text.tokenizer import Tokenizer
from uml_core.worker.text_stream import TextStream


class Wording:
    """The words of one completion, in which special tokens are not written.

    ``stopped`` is set once a stop text was met, ``called`` once a tool was called; ``thought`` counts the tokens that
    are no part of what is said, None for a model that doesn't think.
    """

    called = False
    thought: int | None = None

    def __init__(self, tokenizer: Tokenizer, request: GenerationRequest) -> None:
        self._tokenizer = tokenizer
        self._decoder = TextStream()
        self._said = TextStream(request.stop)
        self._logprobs = None if request.logprobs is None else Logprobs(tokenizer)
        self._read = self._sent = 0

    @property
    def stopped(self) -> bool:
        return self._said.stopped

    def feed(self, chosen: Chosen) -> Iterator[Piece]:
        """Take a token, and give what is certain to belong to the answer."""
        if self._logprobs is not None:
            self._logprobs.add(chosen, self._read)
        return self._pieces(self._decoder.feed(self._written(chosen.token)))

    def finish(self) -> Iterator[Piece]:
        """Give what was held back."""
        yield from self._pieces(self._decoder.flush())
        yield from self._send(self._said.flush())

    def _written(self, token: int) -> bytes:
        return self._tokenizer.piece(token)

    def _pieces(self, text: str) -> Iterator[Piece]:
        if text:
            yield from self._say(text)

    def _say(self, text: str) -> Iterator[Piece]:
        self._read += len(text)
        yield from self._send(self._said.feed(text))

    def _send(self, text: str) -> Iterator[Piece]:
        self._sent += len(text)
        logprobs = self._logprobs.take(self._sent if self.stopped else None) if self._logprobs and text else ()
        if logprobs:
            yield Delta(text, logprobs=logprobs)
        elif text:
            yield text


class ChatWording(Wording):
    """The words of one answer in a chat, read for thoughts and calls. Stop texts are looked for in what is said."""

    def __init__(self, tokenizer: Tokenizer, request: GenerationRequest, chat: PreparedChat) -> None:
        super().__init__(tokenizer, request)
        self._chat = chat
        self._reader = chat.reader()

    @property
    def called(self) -> bool:  # type: ignore[override]
        return self._reader.called

    def feed(self, chosen: Chosen) -> Iterator[Piece]:
        if self._reader.thinking:
            self.thought = (self.thought or 0) + 1
        return super().feed(chosen)

    def finish(self) -> Iterator[Piece]:
        yield from self._pieces(self._decoder.flush())
        yield from self._deltas(self._reader.finish())
        yield from self._send(self._said.flush())

    def _written(self, token: int) -> bytes:
        text = self._tokenizer.piece(token)
        if not text and self._chat.shows(
            (special := self._tokenizer.piece(token, special=True)).decode("utf-8", "replace")
        ):
            return special
        return text

    def _pieces(self, text: str) -> Iterator[Piece]:
        if text:
            yield from self._deltas(self._reader.feed(text))

    def _deltas(self, deltas: Iterable[Delta]) -> Iterator[Piece]:
        for delta in deltas:
            if self.stopped:
                return
            if delta.reasoning or delta.tool_calls:
                if self._logprobs is not None:
                    self._logprobs.take()  # of what is thought or called nothing is told
                yield attrs.evolve(delta, text="")
            if isinstance(delta.text, str) and delta.text:
                yield from self._say(delta.text)
