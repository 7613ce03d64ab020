"""A request as the engine sees it. The gateway has validated it; here nothing may crash on what is still wrong."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from attrs import evolve, field, frozen

from uml_core.worker.fields import between, count, flag, integer, number, texts, wrong

__all__ = ("ChatRequest", "CompletionRequest", "GenerationRequest", "wrong")

MOST_ANSWERS, MOST_LIKELY = 128, 20
"""The bounds of ``n``, and of how many likely tokens one may ask for at each place."""


def _never() -> bool:
    return False


@frozen(kw_only=True)
class GenerationRequest(abc.ABC):
    """What chat and completion have in common, None where the client said nothing.

    ``serve`` itself ends an answer at ``max_tokens`` pieces and cuts it at ``stop``, unless the engine ``honours``
    them; one that does so earlier is welcome to. Each of ``n`` answers is asked for by itself: ``index`` counts them,
    and is added to the seed. ``logprobs`` says of how many likely tokens to tell beside the chosen one, None of none.
    ``extra`` holds every field of the body that is not here, under the client's names. ``prepared`` is what the
    engine's own ``prepare`` put there, the same object for all ``n``. ``cancelled()`` says that nobody waits for the
    answer any more; an engine need only ask it within a step that takes long, and each time counts as a sign of life.
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
    n: int = 1
    index: int = 0
    logprobs: int | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=False)
    prepared: Any = field(default=None, repr=False, eq=False)
    cancelled: Callable[[], bool] = field(default=_never, repr=False, eq=False)

    @classmethod
    def read(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> Self:
        """Take the fields out of a JSON body.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        known = {name: reader(body, name) for name, reader in _READERS.items()}
        if known["max_tokens"] is None:
            known["max_tokens"] = count(body, "max_completion_tokens")
        if known["seed"] == -1:  # llama.cpp's word for none
            known["seed"] = None
        known["n"] = between(body, "n", 1, MOST_ANSWERS) or 1
        own = cls._read_own(body)
        taken = {*known, *own, "max_completion_tokens", "top_logprobs", "model", "stream", "stream_options"}
        extra = {name: value for name, value in body.items() if name not in taken}
        return cls(**known, **own, extra=extra, cancelled=cancelled)

    @classmethod
    def read_all(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> list[Self]:
        """As ``read``, for a body that may ask for several things at once.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        return [cls.read(body, cancelled)]

    def each(self) -> list[Self]:
        """The request of each of the ``n`` answers."""
        seed = self.seed
        return [evolve(self, index=at, seed=None if seed is None else seed + at) for at in range(self.n)]

    @classmethod
    @abc.abstractmethod
    def _read_own(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that only this kind of request has, or has in another form."""


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
        return {"messages": tuple(messages), "logprobs": _logprobs_of_chat(body)}

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
    def read_all(cls, body: Mapping[str, Any], cancelled: Callable[[], bool] = _never) -> list[Self]:
        """One request for each of the body's prompts.

        :raises BadRequestError: a field has a value that it can't have; ``param`` names it
        """
        prompts = body.get("prompt")
        if not isinstance(prompts, list) or not prompts or not all(isinstance(each, str | list) for each in prompts):
            prompts = [prompts]
        if len(prompts) > MOST_ANSWERS:
            raise wrong("prompt", f"must be at most {MOST_ANSWERS} prompts; send several requests")
        requests = [cls.read({**body, "prompt": prompt}, cancelled) for prompt in prompts]
        if len(requests) * requests[0].n > MOST_ANSWERS:
            raise wrong("n", f"asks for more than {MOST_ANSWERS} answers together; send several requests")
        return requests

    @classmethod
    def _read_own(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"prompt": _prompt(body.get("prompt")), "logprobs": between(body, "logprobs", 0, MOST_LIKELY)}


def _prompt(prompt: Any) -> str | tuple[int, ...]:
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt):
        return tuple(prompt)
    raise wrong("prompt", "must be one text, or one list of token numbers")


def _logprobs_of_chat(body: Mapping[str, Any]) -> int | None:
    wanted, likely = flag(body, "logprobs"), between(body, "top_logprobs", 0, MOST_LIKELY)
    if likely and not wanted:
        raise wrong("top_logprobs", "needs 'logprobs': true")
    return (likely or 0) if wanted else None


def _text(content: object) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, Sequence) else [content]
    found = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    if not all(isinstance(text, str) for text in found):
        raise wrong("messages", "may hold only text: this model reads nothing else")
    return "".join(text for text in found if text)


_READERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "max_tokens": count,
    "temperature": number,
    "top_p": number,
    "top_k": integer,
    "min_p": number,
    "presence_penalty": number,
    "frequency_penalty": number,
    "repeat_penalty": number,
    "seed": integer,
    "stop": texts,
}
