"""A request as the engine sees it. The gateway has validated it; here nothing may crash on what is still wrong."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from attrs import field, frozen

from uml_core.errors import BadRequestError


def _never() -> bool:
    return False


@frozen(kw_only=True)
class GenerationRequest(abc.ABC):
    """What chat and completion have in common, None where the client said nothing.

    ``serve`` itself ends an answer at ``max_tokens`` pieces and cuts it at ``stop``; an engine that does so earlier is
    welcome to. ``extra`` holds every field of the body that is not here, under the client's names. ``cancelled()``
    says that nobody waits for the answer any more; an engine need only ask it within a step that takes long, and
    each time counts as a sign of life.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(factory=dict, repr=False)
    cancelled: Callable[[], bool] = field(default=_never, repr=False, eq=False)

    @classmethod
    def read(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> Self:
        """Take the fields out of a JSON body.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        known = {name: reader(body, name) for name, reader in _READERS.items()}
        if known["max_tokens"] is None:
            known["max_tokens"] = _count(body, "max_completion_tokens")
        own = cls._read_own(body)
        taken = {*known, *own, "max_completion_tokens", "model", "stream", "stream_options"}
        extra = {name: value for name, value in body.items() if name not in taken}
        return cls(**known, **own, extra=extra, cancelled=cancelled)

    @classmethod
    @abc.abstractmethod
    def _read_own(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that only this kind of request has."""


@frozen(kw_only=True)
class ChatRequest(GenerationRequest):
    """``/v1/chat/completions``. ``messages`` are as the client wrote them: a role, and a content or its parts."""

    messages: tuple[Mapping[str, Any], ...] = field(repr=False)

    @classmethod
    def _read_own(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise wrong("messages", "must be a list with at least one message")
        for message in messages:
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise wrong("messages", "must be objects, each with a 'role'")
        return {"messages": tuple(messages)}

    def text_messages(self) -> list[dict[str, Any]]:
        """The messages with every content as one string, for an engine that knows nothing but text.

        :raises BadRequestError: a part of a content is not text
        """
        return [{**message, "content": _text(message.get("content"))} for message in self.messages]


@frozen(kw_only=True)
class CompletionRequest(GenerationRequest):
    """``/v1/completions`` for one prompt, as text or as the model's own token numbers."""

    prompt: str | tuple[int, ...] = field(repr=False)

    @classmethod
    def _read_own(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
            prompt = prompt[0]
        if isinstance(prompt, str):
            return {"prompt": prompt}
        if isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt):
            return {"prompt": tuple(prompt)}
        raise wrong("prompt", "must be one text, or one list of token numbers")


def wrong(param: str, rule: str) -> BadRequestError:
    """The error for a field of the body that breaks its rule."""
    return BadRequestError(f"'{param}' {rule}", param=param)


def _text(content: object) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, Sequence) else [content]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise wrong("messages", "may hold only text: this model reads nothing else")
    return "".join(text for text in texts if text)


def _number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e9 <= value <= 1e9:
        raise wrong(name, "must be a number")
    return float(value)


def _integer(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63):
        raise wrong(name, "must be a whole number")
    return value


def _count(body: Mapping[str, Any], name: str) -> int | None:
    value = _integer(body, name)
    if value is not None and value < 1:
        raise wrong(name, "must be 1 or more")
    return value


def _stops(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = body.get(name)
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise wrong(name, "must be a text or a list of texts, none of them empty")
    return tuple(stops)


_READERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "max_tokens": _count,
    "temperature": _number,
    "top_p": _number,
    "top_k": _integer,
    "min_p": _number,
    "presence_penalty": _number,
    "frequency_penalty": _number,
    "repeat_penalty": _number,
    "seed": _integer,
    "stop": _stops,
}
