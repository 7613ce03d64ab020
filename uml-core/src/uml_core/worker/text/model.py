"""What an engine has to bring to be served by the text layer: tokens in, logits out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen

from uml_core.worker.text.tokenizer import Tokenizer


@frozen
class Row:
    """Tokens to add to the sequence in *slot*, which holds *start* tokens before.

    ``wanted`` says that the logits after the last of them are wanted.
    """

    slot: int
    start: int
    tokens: Sequence[int]
    wanted: bool


class TokenModel(Protocol):
    """A loaded model that computes several sequences at once, each in a slot of its own.

    ``slots`` counts them, ``context_length`` is the most tokens of one, ``batch`` the most tokens of one step.
    Everything is called in the one thread that loaded the model.
    """

    tokenizer: Tokenizer
    slots: int
    context_length: int
    batch: int

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> Any:
        """Add the tokens of *rows*, at most one row a slot, to their sequences in one step.

        :param cancelled: whether nobody waits for any of it any more; to be asked within a step that may take long
        :returns: logits, float32 of shape ``(wanted rows, tokenizer.n_vocab)``, in the order of the wanted rows: a
            numpy array that may be overwritten, or whatever the engine's own ``sampler`` takes; None if *cancelled*
            ended it (then no row's tokens count as added)
        :raises Exception: the step failed; every sequence in it is lost, and its answers get the error
        """
        ...

    def keep(self, slot: int, length: int) -> int:
        """Forget all but the first *length* tokens of a slot, and say how many are kept: *length*, or fewer."""
        ...

    def copy(self, source: int, target: int, length: int) -> int:
        """Let *target* hold the first *length* tokens of *source* alone, and say how many it has; 0 if it can't."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...
