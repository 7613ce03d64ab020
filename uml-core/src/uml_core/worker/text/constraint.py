"""What one answer may go on with, token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uml_core.errors import InternalServerError

if TYPE_CHECKING:
    from llguidance import LLMatcher


class Constraint:
    """Follows one answer with llguidance. ``ended`` says that nothing may come any more, not even an end token."""

    def __init__(self, matcher: LLMatcher, n_vocab: int) -> None:
        self._matcher = matcher.deep_copy()
        self._mask: NDArray[np.int32] = np.zeros((n_vocab + 31) // 32, dtype=np.int32)

    @property
    def ended(self) -> bool:
        return bool(self._matcher.is_stopped())

    def mask(self) -> NDArray[np.int32]:
        """One bit for each token that may come next; the same array each time.

        :raises InternalServerError: the grammar can't be followed any further
        """
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._check()
        return self._mask

    def accept(self, token: int) -> None:
        """Go on with the token that was chosen.

        :raises InternalServerError: the grammar can't be followed any further
        """
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            why = " ".join(self._matcher.get_error().split())
            raise InternalServerError(f"the answer can't be kept in the shape that was asked for: {why[:300]}")
