"""Answers that are numbers: embeddings, the order of documents, classes."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.running import Running

EMBEDDINGS, RERANK, CLASSIFY = "/v1/embeddings", "/v1/rerank", "/v1/classify"
OTHERS = ("Grüße, 世界! 🙂", "a", "The cat sat on the mat, and then it slept for a long, long time. " * 4)
CLOSE = 1e-3
"""How far numbers of different batches may lie apart: engines add in another order."""


class EncodingTests(Running):
    """That vectors and scores are finite, in the order that was asked, and the same however they are asked for."""

    def test_embedding(self, live: Live) -> None:
        """A text has one vector of finite numbers that are not all zero, and costs tokens.

        A failure means that a search over the vectors finds nothing, or anything.
        """
        body = self._embed(live, self._text())
        assert [item["index"] for item in body["data"]] == [0]
        vector = body["data"][0]["embedding"]
        assert all(map(math.isfinite, vector))
        assert any(vector)
        assert body["object"] == "list"
        assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0

    def test_embeddings_of_a_list(self, live: Live) -> None:
        """Each text of a list has, in the order of the list, the vector that it has alone; tokens add up.

        A failure means that the padding of a batch is seen by the model or by the pooling, or that the order is lost
        when texts are sorted by length.
        """
        texts = [OTHERS[0], self._text(), *OTHERS[1:]]
        together = self._embed(live, texts)
        assert [item["index"] for item in together["data"]] == list(range(len(texts)))
        alone = [self._embed(live, text) for text in texts]
        for mine, own in zip(together["data"], alone, strict=True):
            assert similarity(mine["embedding"], own["data"][0]["embedding"]) > 1 - CLOSE
        assert together["usage"]["prompt_tokens"] == sum(body["usage"]["prompt_tokens"] for body in alone)

    def test_embedding_in_base64(self, live: Live) -> None:
        """``encoding_format: base64`` is the same vector as little-endian float32, which OpenAI's client asks for.

        A failure means that OpenAI's client gets wrong numbers: it asks for base64 by itself.
        """
        plain = self._embed(live, self._text())["data"][0]["embedding"]
        coded = base64.b64decode(self._embed(live, self._text(), encoding_format="base64")["data"][0]["embedding"])
        assert struct.unpack(f"<{len(plain)}f", coded) == tuple(map(_float32, plain))

    def test_too_long_text_is_refused(self, live: Live) -> None:
        """A text that the model can't read whole gets a 400 with the code ``context_length_exceeded``.

        A failure means that the end of long documents is lost without a word.
        """
        answer = live.post(EMBEDDINGS, {"input": [self._text(), "word " * 40_000]})
        assert answer.passed_on.status == 400, answer.text[:200]
        assert answer.code == "context_length_exceeded"
        self._embed(live, self._text())

    def test_bad_input_is_refused(self, live: Live) -> None:
        """An input that is neither text nor tokens gets a 4xx, and the worker goes on.

        A failure means that a client's mistake looks like a fault of the server, or ends the worker.
        """
        self._text()
        answer = live.post(EMBEDDINGS, {"input": {"not": "a text"}})
        assert 400 <= answer.status < 500, f"{answer.status}: {answer.text[:200]}"
        assert answer.error["message"].strip()
        self._embed(live, self._text())

    def test_ranking(self, live: Live) -> None:
        """Every document has a finite score; the results come with the best first, and ``top_n`` leaves the best.

        A failure means that a search shows the wrong documents.
        """
        documents = [*OTHERS[:2], self.need("rerank_query")]
        body = self._rank(live, documents)
        scores = [result["relevance_score"] for result in body["results"]]
        assert sorted(result["index"] for result in body["results"]) == [0, 1, 2]
        assert all(map(math.isfinite, scores))
        assert scores == sorted(scores, reverse=True)
        assert body["usage"]["total_tokens"] > 0
        best = self._rank(live, documents, top_n=1)["results"]
        assert [result["index"] for result in best] == [body["results"][0]["index"]]

    def test_classes(self, live: Live) -> None:
        """Each text has the probabilities of the model's classes, and the name of the likeliest.

        A failure means that the numbers are no probabilities (take the softmax of one-of-many models), or that texts
        get each other's classes.
        """
        body = live.post(CLASSIFY, {"input": [self.need("classify_text"), *OTHERS]}).body
        assert [item["index"] for item in body["data"]] == list(range(1 + len(OTHERS)))
        for item in body["data"]:
            assert item["label"]
            assert item["num_classes"] == len(item["probs"])
            assert all(0 <= share <= 1 for share in item["probs"])

    def _text(self) -> str:
        return str(self.need("embedding_text"))

    def _embed(self, live: Live, input: Any, **rest: Any) -> Any:
        answer = live.post(EMBEDDINGS, {"input": input, **rest})
        assert answer.status == 200, answer.text[:500]
        return answer.body

    def _rank(self, live: Live, documents: list[str], **rest: Any) -> Any:
        answer = live.post(RERANK, {"query": self.need("rerank_query"), "documents": documents, **rest})
        assert answer.status == 200, answer.text[:500]
        return answer.body


def similarity(first: list[float], second: list[float]) -> float:
    """The cosine of the angle between two vectors."""
    product = sum(a * b for a, b in zip(first, second, strict=True))  # math.sumprod is of 3.12
    return product / (math.hypot(*first) * math.hypot(*second))


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
