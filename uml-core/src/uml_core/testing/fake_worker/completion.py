"""What the model says, in OpenAI's shapes."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .faults import break_probe, fail_if_scripted
from .logprobs import LIKELY, logprobs
from .process import say
from .refusal import Ended, RefusedError, too_long

if TYPE_CHECKING:
    from .worker import FakeWorker


class Completion:
    """One chat or text completion on its way. ``logprob`` is the one that each of its tokens claims to have."""

    def __init__(
        self, worker: FakeWorker, connection: socket.socket, *, number: int, chat: bool, body: dict[str, Any]
    ) -> None:
        self.worker, self.connection, self.chat, self.body = worker, connection, chat, body
        self.stream = bool(body.get("stream"))
        self.quirk = worker.script.quirk
        self.logprob: float | None = LIKELY
        self.prompt = prompt_of(body, chat=chat)
        self.prompt_tokens = len(self.prompt.split())
        self.sent = 0
        limit = worker.script.context_length
        if self.prompt_tokens > limit and self.quirk != "no_context_limit":
            raise too_long(self.prompt_tokens, limit, foreign=worker.script.foreign_errors)
        whole = tokens_of(worker.script, self.prompt)
        most = body.get("max_completion_tokens") or body.get("max_tokens") or len(whole)
        room = len(whole) if self.quirk == "no_max_tokens" else min(int(most), limit - self.prompt_tokens)
        self.tokens = whole[:room]
        self.finish = "stop" if len(self.tokens) == len(whole) else "length"
        self.answer_id = f"{'chatcmpl' if chat else 'cmpl'}-{number}"

    def tokens_in_time(self) -> Iterator[str]:
        """The tokens at the script's pace; stops when the client is gone, fails where the script says."""
        self.prefill()
        for token in self.tokens:
            fail_if_scripted(self, token)
            if self.worker.script.token_s:
                self.wait(self.worker.script.token_s)
            self.worker.tick()
            self.sent += 1
            yield token
        fail_if_scripted(self, "")

    def prefill(self) -> None:
        """Burn CPU and take memory as the script says, if the prompt has more than one word: a probe's has not."""
        script = self.worker.script
        if self.prompt_tokens > 1:
            self.worker.batch.touch()
        until_s = time.monotonic() + (script.slow_prefill_s if self.prompt_tokens > 1 else 0.0)
        while time.monotonic() < until_s:
            sum(range(10_000))
            if script.prefill_activity:
                self.worker.tick()
            self.wait(0.0)

    def wait(self, seconds: float) -> None:
        """Wait for the next token, unless the client leaves or the worker is told to stop."""
        listened = [] if self.worker.script.deaf else [self.connection]
        readable, _, _ = select.select(listened, [], [], seconds)
        gone = readable and not self.connection.recv(1, socket.MSG_PEEK)
        if gone or self.worker.stopping.is_set():
            say(f"cancelled after {self.sent} tokens")
            raise Ended

    def frame(self, token: str | None = None, *, role: bool = False, finish: str | None = None) -> bytes:
        """One event of the stream."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if role:
            choice["delta"] = {"role": "assistant", "content": ""}
        elif self.chat:
            choice["delta"] = {} if token is None else {"content": token}
        else:
            choice["text"] = token or ""
        if token is not None:
            choice |= logprobs([token], self.body, chat=self.chat, value=self.logprob)
        return event({**self.envelope("chat.completion.chunk"), "choices": [choice]})

    def whole(self) -> dict[str, Any]:
        """The answer in one piece."""
        said = list(self.tokens_in_time())
        text = "".join(said)
        answer = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        choice = {"index": 0, "finish_reason": self.finish, **answer}
        choice |= logprobs(said, self.body, chat=self.chat, value=self.logprob)
        return {**self.envelope("chat.completion"), "choices": [choice], "usage": self.usage()}

    def envelope(self, kind: str) -> dict[str, Any]:
        plan = self.worker.launch["plan"]
        model = plan["model"]["path"] if self.quirk == "other_name" else plan["model_id"]
        named = kind if self.chat else "text_completion"
        return {"id": self.answer_id, "object": named, "created": int(time.time()), "model": model}

    def usage(self) -> dict[str, int]:
        total = self.prompt_tokens + self.sent
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.sent, "total_tokens": total}

    def send(self, data: bytes) -> None:
        """Send a part of the stream, as an HTTP chunk if the script says so."""
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if self.worker.script.chunked else data
        with contextlib.suppress(OSError) if self.worker.script.deaf else contextlib.nullcontext():
            self.connection.sendall(chunk)


def complete(completion: Completion) -> dict[str, Any] | None:
    """Answer: the body of the whole answer, or None when it was streamed."""
    break_probe(completion)
    if not completion.stream:
        return completion.whole()
    stream_answer(completion)
    return None


def stream_answer(completion: Completion) -> None:
    """Send an answer frame by frame."""
    framing = "Transfer-Encoding: chunked\r\n" if completion.worker.script.chunked else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}Connection: close\r\n\r\n"
    completion.connection.sendall(head.encode())
    quirk = completion.quirk
    if completion.chat and quirk != "no_role":
        completion.send(completion.frame(role=True))
    for number, token in enumerate(completion.tokens_in_time()):
        if quirk != "lost_text" or number != 1:
            completion.send(completion.frame(token))
    for _ in range(2 if quirk == "two_finishes" else 1):
        completion.send(completion.frame(finish=completion.finish))
    if (completion.body.get("stream_options") or {}).get("include_usage") and quirk != "no_usage":
        last = {**completion.envelope("chat.completion.chunk"), "choices": [], "usage": completion.usage()}
        completion.send(event(last))
    if quirk != "no_done":
        completion.send(b"data: [DONE]\n\n")
    if completion.worker.script.chunked:
        completion.connection.sendall(b"0\r\n\r\n")


def prompt_of(body: dict[str, Any], *, chat: bool) -> str:
    """The text of a request; refuses one without."""
    if not chat:
        if not isinstance(body.get("prompt"), str):
            raise RefusedError(400, "'prompt' must be a string", "invalid_request")
        return str(body["prompt"])
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise RefusedError(400, "'messages' must be a list of messages", "invalid_request")
    return "\n".join(str(message.get("content", "")) for message in messages)


def tokens_of(script: SimpleNamespace, prompt: str) -> list[str]:
    """What the model says: the scripted text, a character a token, or the prompt's last nonce and numbered words."""
    if script.text:
        return list(script.text)
    nonces = re.findall(r"nonce=(\w+)", prompt)
    return [nonces[-1] if nonces else "Hello", *(f" word{number}" for number in range(1, script.tokens))]


def event(value: object) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
