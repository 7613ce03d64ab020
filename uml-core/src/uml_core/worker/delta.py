"""What an engine yields while it answers."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen


@frozen
class Delta:
    """A step of an answer that says more than its text.

    ``finish_reason`` ends the answer: ``stop`` or ``length``. The counts are in tokens; without them every piece that
    is not empty counts as one token. A Delta without anything in it is sent to nobody: it shows that a long prompt is
    still being read, and gives the client's departure a moment to be noticed.
    """

    text: str | bytes = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


Piece: TypeAlias = str | bytes | Delta
"""One step of an answer: text, UTF-8 bytes that may end within a character, or a :class:`Delta`."""
