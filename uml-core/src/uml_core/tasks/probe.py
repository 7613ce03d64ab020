"""The smallest answer there is of a model that generates text, and whether it is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from pydantic_core import from_json

from uml_core.errors import ModelLoadError
from uml_core.types import Worker, WorkerResponse

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
ONE_TOKEN: Mapping[str, Any] = {"max_tokens": 1, "temperature": 0}
MISSING = frozenset({404, 405, 501})
"""What engines say of a path that they don't have."""

LONGEST_REASON = 500


async def probe(worker: Worker) -> None:
    """Ask for one token: by a plain prompt, which needs no chat template; by a chat if that brings none.

    The token's probability is asked for too, where the engine gives it: weights that are broken make numbers that are
    none, and some text nevertheless.

    :raises ModelLoadError: there is no token, or its probability is no number
    :raises WorkerCrashedError: the worker ended over it
    """
    body = {"model": worker.model_id, **ONE_TOKEN}
    status, answer = await _asked(worker, COMPLETIONS, {**body, "prompt": "1"}, {"logprobs": 1})
    if status in MISSING or (status == 200 and not _has_token(answer)):  # nothing may be all there is to say to "1"
        chat = {**body, "messages": [{"role": "user", "content": "Say yes."}]}
        second = await _asked(worker, CHAT, chat, {"logprobs": True})
        status, answer = second if status in MISSING or second[0] == 200 else (status, answer)
    _judge(worker.model_id, status, answer)


async def _asked(
    worker: Worker, path: str, body: Mapping[str, Any], more: Mapping[str, Any]
) -> tuple[int, Mapping[str, Any]]:
    """Ask with *more*, and without it if that is refused."""
    status, answer = await read(await worker.post(path, {**body, **more}))
    if 400 <= status < 500 and status not in MISSING:
        status, answer = await read(await worker.post(path, body))
    return status, answer


async def read(response: WorkerResponse) -> tuple[int, Mapping[str, Any]]:
    """Status and body of an answer; what is no JSON object is an empty one."""
    try:
        answer = from_json(await response.read())
    except ValueError:
        answer = None
    finally:
        await response.aclose()
    return response.status, answer if isinstance(answer, dict) else {}


def require_answer(model: str, status: int, answer: Mapping[str, Any], *, asked: str) -> None:
    """Go on only if there is an answer.

    :param asked: what the request was for
    :raises ModelLoadError: there is none; it says what the worker said instead
    """
    if status != 200:
        error = answer.get("error")
        said = error.get("message") if isinstance(error, dict) else error
        reason = f"answered the request for {asked} with status {status}: {said or 'no reason'}"
        raise ModelLoadError(f"model '{model}' is loaded, but its worker {reason[:LONGEST_REASON]}")


def _judge(model: str, status: int, answer: Mapping[str, Any]) -> None:
    require_answer(model, status, answer, asked="one token")
    choice = _choice(answer)
    if not _has_token(answer):
        raise ModelLoadError(f"model '{model}' is loaded, but gives no token; its file may be damaged, fetch it again")
    if not all(is_number(number) for number in _logprobs(choice)):
        raise ModelLoadError(
            f"model '{model}' is loaded, but the probability of its token is no number; its file may be damaged (fetch "
            "it again), or its engine be at fault (try another backend, or the CPU)"
        )


def _has_token(answer: Mapping[str, Any]) -> bool:
    usage = answer.get("usage")
    counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return _has_text(_choice(answer)) or (isinstance(counted, int) and counted >= 1)


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _has_text(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    said = message if isinstance(message, dict) else choice
    return any(said.get(name) for name in ("text", "content", "reasoning_content", "tool_calls"))


def _logprobs(choice: Mapping[str, Any]) -> Iterator[Any]:
    """What the answer has in the old form of completions, or in that of chats."""
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, dict):
        return
    yield from logprobs.get("token_logprobs") or ()
    for token in logprobs.get("content") or ():
        yield token.get("logprob") if isinstance(token, dict) else None


def is_number(number: Any) -> bool:
    """Whether something in a body is a number, and a finite one."""
    return isinstance(number, int | float) and isfinite(number)
