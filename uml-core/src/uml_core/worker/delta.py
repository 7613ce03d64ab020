"""What an engine yields while it answers."""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import frozen


@frozen
class TopLogprob:
    """One of the most likely tokens at a place: its text, its bytes, and the natural logarithm of its probability."""

    token: str
    bytes: bytes
    logprob: float


@frozen
class TokenLogprob(TopLogprob):
    """The token that was chosen, and the most likely ones there, the likeliest first; before any sampling option."""

    top: tuple[TopLogprob, ...] = ()


@frozen
class ToolCallDelta:
    """A piece of a call of the model's. ``id`` and ``name`` come with the first piece, ``arguments`` grow as JSON."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@frozen
class Delta:
    """A step of an answer that says more than its text.

    ``finish_reason`` ends the answer: ``stop``, ``length``, ``tool_calls`` or ``content_filter``. The counts are in
    tokens; without them every piece that is not empty counts as one token. ``cached_tokens`` counts those of the prompt
    that needn't be computed again, ``reasoning_tokens`` those of the answer that were thought. A Delta without anything
    in it is sent to nobody: it shows that a long prompt is still being read, and gives the client's departure a moment
    to be noticed.
    """

    text: str | bytes = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@frozen
class Whole:
    """An answer that is no text: the JSON body as it is sent, made in the engine's thread. It ends the answer."""

    body: bytes


class Wait:
    """Says that an answer can't go on before the engine's next ``step()``; there is only :data:`WAIT`."""

    __slots__ = ()


WAIT: Final = Wait()

Piece: TypeAlias = str | bytes | Delta | Whole | Wait
"""One step of an answer: text, UTF-8 bytes that may end within a character, or one of the records above."""
