"""The part of the client whose answers are numbers: vectors, scores and classes of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uml_core.client.connection import Connection


class NumberMethods:
    """What models do that write nothing, as methods.

    Every method raises a :class:`~uml_core.errors.UMLError` of the class that the gateway's error names.
    """

    _connection: Connection

    def embed(
        self, texts: str | Sequence[str], *, model: str | None = None, dimensions: int | None = None
    ) -> list[list[float]]:
        """The vector of each text, in their order; of one text a list of one.

        :param model: the model's id; what is loaded when absent
        :param dimensions: cut each vector to so many, of length 1 again
        """
        body = {"input": texts if isinstance(texts, str) else list(texts), "dimensions": dimensions}
        return [entry["embedding"] for entry in self._ask("/v1/embeddings", model, body)["data"]]

    def rerank(
        self,
        query: str,
        documents: Sequence[str | Mapping[str, Any]],
        *,
        model: str | None = None,
        top_n: int | None = None,
    ) -> list[dict[str, Any]]:
        """Each document's ``index`` and ``relevance_score``, the best first.

        :param model: the model's id; what is loaded when absent
        :param top_n: only the best so many
        """
        body = {"query": query, "documents": list(documents), "top_n": top_n}
        return list(self._ask("/v1/rerank", model, body)["results"])

    def classify(self, texts: str | Sequence[str], *, model: str | None = None) -> list[dict[str, Any]]:
        """Each text's likeliest ``label``, and ``probs``, the probabilities of all classes.

        :param model: the model's id; what is loaded when absent
        """
        body = {"input": texts if isinstance(texts, str) else list(texts)}
        return list(self._ask("/v1/classify", model, body)["data"])

    def _ask(self, path: str, model: str | None, body: Mapping[str, Any]) -> Any:
        said = {"model": model, **body}
        return self._connection.send(
            "POST", path, {key: value for key, value in said.items() if value is not None}
        ).read()
