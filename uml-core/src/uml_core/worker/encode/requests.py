"""What the embedding layer is asked for: the fields of the bodies that the gateway lets through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, TypeAlias

from attrs import field, frozen

from uml_core.worker.fields import count, flag, wrong

Text: TypeAlias = str | tuple[int, ...]
"""A text, or the model's own token numbers."""

Encoding: TypeAlias = Literal["float", "base64"]
"""How a vector is written: as JSON numbers, or as base64 of float32, least significant byte first."""


def _never() -> bool:
    return False


@frozen(kw_only=True)
class EmbeddingRequest:
    """``/v1/embeddings``. *dimensions* cuts the vectors, which then have the length 1 again.

    ``truncate`` cuts what is too long for the model, instead of refusing it. ``cancelled()`` says that nobody waits any
    more; it is asked between batches.
    """

    inputs: tuple[Text, ...] = field(repr=False)
    dimensions: int | None = None
    encoding: Encoding = "float"
    truncate: bool = False
    cancelled: Callable[[], bool] = field(default=_never, repr=False, eq=False)

    @classmethod
    def read(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> Self:
        """Take the fields out of a JSON body.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        return cls(
            inputs=_inputs(body),
            dimensions=count(body, "dimensions"),
            encoding=_encoding(body),
            truncate=flag(body, "truncate"),
            cancelled=cancelled,
        )


@frozen(kw_only=True)
class RankRequest:
    """``/v1/rerank``: which documents fit the query best, in the form of Jina, Cohere and llama.cpp.

    ``top_n`` leaves only the best.
    """

    query: str = field(repr=False)
    documents: tuple[str, ...] = field(repr=False)
    top_n: int | None = None
    truncate: bool = False
    cancelled: Callable[[], bool] = field(default=_never, repr=False, eq=False)

    @classmethod
    def read(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> Self:
        """Take the fields out of a JSON body.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        query = body.get("query")
        if not isinstance(query, str):
            raise wrong("query", "must be a text")
        return cls(
            query=query,
            documents=_documents(body),
            top_n=count(body, "top_n"),
            truncate=flag(body, "truncate"),
            cancelled=cancelled,
        )


@frozen(kw_only=True)
class ClassifyRequest:
    """``/v1/classify``: which of the model's classes each text belongs to, in the form of vLLM."""

    inputs: tuple[Text, ...] = field(repr=False)
    truncate: bool = False
    cancelled: Callable[[], bool] = field(default=_never, repr=False, eq=False)

    @classmethod
    def read(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> Self:
        """Take the fields out of a JSON body.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        return cls(inputs=_inputs(body), truncate=flag(body, "truncate"), cancelled=cancelled)


def _inputs(body: Mapping[str, Any]) -> tuple[Text, ...]:
    given = body.get("input")
    several = given if isinstance(given, list) and given and type(given[0]) is not int else [given]
    return tuple(_read_text(text) for text in several)


def _read_text(value: object) -> Text:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(token) is int and token >= 0 for token in value):
        return tuple(value)
    raise wrong("input", "must be a text, a list of texts, a list of token numbers, or a list of such lists")


def _encoding(body: Mapping[str, Any]) -> Encoding:
    match body.get("encoding_format"):
        case None | "float":
            return "float"
        case "base64":
            return "base64"
    raise wrong("encoding_format", "must be 'float' or 'base64'")


def _documents(body: Mapping[str, Any]) -> tuple[str, ...]:
    given = body.get("documents")
    parts = given if isinstance(given, list) else []
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise wrong("documents", "must be a list of texts, or of objects with a 'text'")
    return tuple(text for text in texts if isinstance(text, str))
