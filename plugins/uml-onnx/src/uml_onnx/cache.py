"""What is kept of each sequence, and how it is handed to a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from uml_core.worker.text import Row


class Cache(Protocol):
    """The past of several sequences, each in a slot. ``together``: rows of one token each may be one run."""

    together: bool

    def bind(self, rows: Sequence[Row]) -> tuple[Any, NDArray[np.int64]]:
        """Bind the past of *rows*, all of the same length, and give the binding and the attention mask."""
        ...

    def added(self, rows: Sequence[Row]) -> None:
        """The run that was bound last is done."""
        ...

    def keep(self, slot: int, length: int) -> int:
        """See :meth:`uml_core.worker.text.TokenModel.keep`."""
        ...

    def copy(self, source: int, target: int, length: int) -> int:
        """See :meth:`uml_core.worker.text.TokenModel.copy`."""
        ...


def ends_of(rows: Sequence[Row]) -> list[int]:
    """The length of each row's sequence after the step."""
    return [row.start + len(row.tokens) for row in rows]


def mask_of(ends: Sequence[int]) -> NDArray[np.int64]:
    """Ones from the first place on, for sequences that lie there."""
    mask: NDArray[np.int64] = (np.arange(max(ends)) < np.array(ends)[:, None]).astype(np.int64)
    return mask
