"""What one answer may go on with, token by token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uml_core.errors import BadRequestError, InternalServerError, UMLError

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from uml_core.worker.text.tokenizer import Tokenizer

_PLACE = re.compile(r"\A(?:at \d+\(\d+\): )?(?:failed to compile JSON schema: )?")


class Constraint:
    """Follows one answer with llguidance. ``ended`` says that nothing may come any more, not even an end token.

    :param param: the field of the request that the grammar comes from
    """

    def __init__(self, matcher: LLMatcher, tokenizer: Tokenizer, param: str = "grammar") -> None:
        self._matcher, self._param = matcher.deep_copy(), param
        count = max(tokenizer.n_vocab, tokenizer.constraints().vocab_size)  # llguidance may know of more
        self._mask: NDArray[np.int32] = np.zeros((count + 31) // 32, dtype=np.int32)
        self._whole, self._rest = tokenizer.n_vocab // 32, (1 << tokenizer.n_vocab % 32) - 1

    @property
    def ended(self) -> bool:
        return bool(self._matcher.is_stopped())

    def mask(self) -> NDArray[np.int32]:
        """One bit for each token that may come next; the same array each time.

        :raises BadRequestError: the grammar leads nowhere with this model's tokens, or has grown beyond llguidance's
            bounds
        """
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._check()
        if not self._mask[: self._whole].any() and not (self._rest and self._mask[self._whole] & self._rest):
            raise BadRequestError(
                f"'{self._param}' can't be followed: it goes on with none of the tokens that the model knows",
                param=self._param,
            )
        return self._mask

    def accept(self, token: int) -> None:
        """Go on with the token that was chosen.

        :raises BadRequestError: the grammar has grown beyond llguidance's bounds
        :raises InternalServerError: the token isn't one that may come
        """
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise failure_of(self._matcher, self._param)


def failure_of(matcher: LLMatcher, param: str) -> UMLError:
    """Why *matcher* has failed, without the place in a grammar that nobody wrote, and without its text and state."""
    error = _PLACE.sub("", matcher.get_error())
    said = " ".join(error.split("\n   1 |", 1)[0].split("<state>", 1)[0].split())[:300]
    if "doesn't satisfy the grammar" in said:
        return InternalServerError(f"the answer can't be kept in the shape that was asked for: {said}")
    said = said.replace("NoExtensionBias", "there is nothing that an answer could go on with")
    return BadRequestError(f"'{param}' can't be followed: {said}", param=param)
