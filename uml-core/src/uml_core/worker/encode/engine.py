"""The engine of models that read whole texts: it makes batches across requests, and bodies out of what comes back."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from uml_core.errors import BadRequestError, InternalServerError, TaskNotSupportedError
from uml_core.types import Plan
from uml_core.worker.delta import WAIT, Delta, Piece, Whole
from uml_core.worker.encode import body
from uml_core.worker.encode.batches import Batches, Work
from uml_core.worker.encode.calculation import Calculation
from uml_core.worker.encode.layers import unit
from uml_core.worker.encode.model import EncoderModel
from uml_core.worker.encode.reader import Reader, Reading
from uml_core.worker.encode.recipe import Recipe
from uml_core.worker.encode.requests import ClassifyRequest, EmbeddingRequest, RankRequest
from uml_core.worker.encode.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]

AT_ONCE = 32
"""Texts that are read before others get a turn."""
BATCH = 2048
"""Tokens of a batch. On a processor more brings nothing; the time of one is what a cancel may have to wait."""


class EncoderEngine:
    """Serves *model*. One batch is computed at a time, with texts of up to ``parallel`` requests."""

    parallel = 64

    def __init__(
        self,
        model: EncoderModel,
        plan: Plan,
        *,
        recipe: Recipe | None = None,
        scores: Scores | None = None,
        batch: int = BATCH,
    ) -> None:
        """Take over a loaded model.

        :param recipe: how its vectors are made; by default what the files say that lie beside it
        :param scores: how its logits are read; likewise
        :param batch: the most tokens of one call of ``forward``, unless one text alone is longer
        :raises InvalidModelFileError: those files ask for what can't be done
        """
        self._model, self._plan = model, plan
        recipe = recipe or Recipe.of(plan.model.path)
        self._scores = scores or Scores.of(plan.model.path)
        longest = min(bound for bound in (model.longest, plan.context_length, recipe.longest) if bound)
        self._reader = Reader(model, longest=longest, prompt=recipe.prompt, pools_prompt=recipe.pools_prompt)
        self._calculation = Calculation(model, recipe)
        self._batches = Batches(batch)

    def embed(self, request: EmbeddingRequest) -> Iterator[Piece]:
        """Answer ``/v1/embeddings``."""
        self._require("feature-extraction")
        vectors, tokens = yield from self._compute(self._texts(request))
        if request.dimensions is not None:
            vectors = [_cut(vector, request.dimensions) for vector in vectors]
        yield Whole(body.embeddings(vectors, encoding=request.encoding, model=self._plan.model_id, tokens=tokens))

    def rank(self, request: RankRequest) -> Iterator[Piece]:
        """Answer ``/v1/rerank``."""
        self._require("text-ranking")
        rows, tokens = yield from self._compute(self._pairs(request))
        scores = [self._scores.relevance(row) for row in rows]
        yield Whole(body.ranking(scores, top=request.top_n, model=self._plan.model_id, tokens=tokens))

    def classify(self, request: ClassifyRequest) -> Iterator[Piece]:
        """Answer ``/v1/classify``."""
        self._require("text-classification")
        rows, tokens = yield from self._compute(self._texts(request))
        shares = [self._scores.probabilities(row) for row in rows]
        yield Whole(body.classes(shares, labels=self._model.labels, model=self._plan.model_id, tokens=tokens))

    def step(self) -> None:
        """Compute one batch."""
        if batch := self._batches.next():
            readings = [work.readings[at] for work, at in batch]
            for (work, at), row in zip(batch, self._calculation.rows(readings), strict=True):
                work.put(at, row)

    def close(self) -> None:
        """Give the model back."""
        self._model.close()

    def _require(self, task: str) -> None:
        if task not in self._plan.tasks:
            raise TaskNotSupportedError(
                f"'{self._plan.model_id}' is for {' and '.join(self._plan.tasks)}, not for {task}", param="model"
            )

    def _texts(self, request: EmbeddingRequest | ClassifyRequest) -> Iterator[Reading]:
        for at, text in enumerate(request.inputs):
            place = f"input[{at}]" if len(request.inputs) > 1 else "input"
            yield self._reader.read(text, place=place, truncate=request.truncate)

    def _pairs(self, request: RankRequest) -> Iterator[Reading]:
        for at, text in enumerate(request.documents):
            yield self._reader.read_pair(request.query, text, place=f"documents[{at}]", truncate=request.truncate)

    def _compute(self, readings: Iterable[Reading]) -> Generator[Piece, None, tuple[list[Floats], int]]:
        """Have texts computed by the steps that are to come; gives their rows, and counts their tokens."""
        read: list[Reading] = []
        for reading in readings:
            read.append(reading)
            if len(read) % AT_ONCE == 0:
                yield Delta()
        work = Work(read)
        self._batches.add(work)
        try:
            while work.left:
                yield WAIT
        finally:
            self._batches.drop(work)
        rows = [row for row in work.results if row is not None]
        if not all(np.isfinite(row).all() for row in rows):
            raise InternalServerError(
                f"'{self._plan.model_id}' computed something that is no number; its files may be damaged (fetch them "
                "again), or its engine be at fault (try another backend, or the CPU)"
            )
        return rows, sum(map(len, read))


def _cut(vector: Floats, dimensions: int) -> Floats:
    if dimensions > len(vector):
        raise BadRequestError(
            f"'dimensions' is {dimensions}, but this model's vectors have {len(vector)}", param="dimensions"
        )
    return vector if dimensions == len(vector) else unit(vector[:dimensions])
