"""One answer on its way out of the engine."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from uml_core.errors import InternalServerError, UMLError
from uml_core.worker.delta import Delta, Piece, Wait, Whole
from uml_core.worker.generation import Generation
from uml_core.worker.transcript import Transcript

Answer: TypeAlias = Callable[[Any], Iterable[Piece]]
"""A method of the engine for one kind of request."""

_NOTHING = Delta()


class Answering:
    """Pulls pieces out of the engine's iterator, which is made, asked and closed in the engine's thread.

    ``waits`` says that it can't go on before the engine's next step, ``ended`` that there is nothing left to do.
    """

    def __init__(
        self, generation: Generation, answer: Answer, request: Any, *, index: int = 0, transcript: Transcript | None
    ) -> None:
        self.generation = generation
        self.waits = self.ended = False
        self._answer, self._request, self._index = answer, request, index
        self._transcript = transcript
        self._pieces: Iterator[Piece] | None = None

    @property
    def stuck(self) -> bool:
        """Whether nothing can be done for it before its reader has read."""
        return self.generation.behind

    def advance(self) -> None:
        """Go on until it waits, has ended, or its reader is behind; it stops within one piece of a cancel.

        :raises BaseException: what isn't an ``Exception``, such as an engine's ``SystemExit``
        """
        self.waits = False
        try:
            self._pull()
        except Exception as error:  # noqa: BLE001 - told to the client, and to the log
            self.fail(told(error))

    def fail(self, error: UMLError) -> None:
        """End it with an error."""
        self.generation.fail(self._index, error)
        self.close()

    def close(self) -> None:
        """End the engine's work on it."""
        self.ended, self.waits = True, False
        try:
            if (close := getattr(self._pieces, "close", None)) is not None:
                close()
        except Exception:  # noqa: BLE001 - the client has its answer; the log wants the place
            traceback.print_exc(file=sys.stderr)

    def _pull(self) -> None:
        if self.generation.abandoned:
            self.close()
            return
        if self._pieces is None:
            self._pieces = iter(self._answer(self._request))
        for piece in self._pieces:
            if self.generation.cancelled():
                self.close()
                return
            if self._take(piece):
                return
        self._finish()

    def _take(self, piece: Piece) -> bool:
        """Send what can be sent of *piece*; whether that is all for now."""
        if isinstance(piece, str):  # first, for it is the most frequent one
            return self._send(piece)
        if isinstance(piece, Whole):
            self._send_whole(piece)
        elif isinstance(piece, Wait) or piece == _NOTHING:
            self.waits = True
        else:
            return self._send(piece)
        return True

    def _send(self, piece: str | bytes | Delta) -> bool:
        if (transcript := self._transcript) is None:
            raise _misplaced(piece)
        sent = transcript.add(piece)
        behind = self.generation.put(self._index, sent) if sent else False
        if transcript.ended:
            self._finish()
        return behind or self.ended

    def _send_whole(self, piece: Whole) -> None:
        if self._transcript is not None:
            raise _misplaced(piece)
        self.generation.put(self._index, piece)
        self.close()

    def _finish(self) -> None:
        if self._transcript is None:
            raise RuntimeError("it gave no answer")
        text, finish = self._transcript.finish()
        if text:
            self.generation.put(self._index, text)
        self.generation.put(self._index, finish)
        self.close()


def _misplaced(piece: object) -> TypeError:
    return TypeError(f"a {type(piece).__name__} is no part of such an answer")


def told(error: Exception) -> UMLError:
    """What a client is told of *error*; the log gets the place, unless it was raised for the client."""
    if isinstance(error, UMLError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return InternalServerError(f"the engine failed with {type(error).__name__}: {error}")
