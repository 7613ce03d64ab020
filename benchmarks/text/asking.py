"""Streams asked of a server that speaks OpenAI's API: how many tokens come, and when the first."""

from __future__ import annotations

import asyncio
import json
import statistics
import time

from attrs import frozen

TOKENS = 48


@frozen
class Address:
    """Where a server is, under which name it has the model, and its token, if it wants one."""

    port: int
    model: str
    token: str = ""


@frozen
class Together:
    """Some streams at once: tokens a second of all of them, and the median of the seconds to a first token."""

    tokens_per_s: float
    first_s: float


async def stream(address: Address, question: str, tokens: int = TOKENS) -> tuple[float, int]:
    """One streamed answer: seconds to its first token, and how many tokens came."""
    chat = {"model": address.model, "messages": [{"role": "user", "content": question}]}
    rest = {"max_tokens": tokens, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
    body = json.dumps(chat | rest).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {address.token}\r\n" if address.token else ""
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    writer.write(head.encode() + body)
    first, data = 0.0, b""
    while piece := await reader.read(65536):
        data += piece
        if not first and said(data):
            first = time.perf_counter() - started
    writer.close()
    if not first:
        raise SystemExit(f"a stream had no text in it: {data[-500:]!r}")
    return first, counted(data)


def said(data: bytes) -> bool:
    """Whether a chunk with text has come: not an empty one, and none that only names the role."""
    plain = data.replace(b'": "', b'":"')
    return plain.count(b'"content":"') > plain.count(b'"content":""')


def counted(data: bytes) -> int:
    """Tokens of a whole stream: as its usage says, else as many as there were chunks with text."""
    lines = [line[6:] for line in data.splitlines() if line.startswith(b"data: {")]
    chunks = [json.loads(line) for line in lines]
    usages = [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")]
    if usages:
        return int(usages[-1])
    return sum(bool((choice.get("delta") or {}).get("content")) for chunk in chunks for choice in chunk["choices"])


async def _together(address: Address, count: int) -> Together:
    before = time.perf_counter()
    asks = [stream(address, f"Count from {number} to 100.") for number in range(count)]
    answers = await asyncio.gather(*asks)
    seconds = time.perf_counter() - before
    return Together(sum(tokens for _, tokens in answers) / seconds, statistics.median(first for first, _ in answers))


def together(address: Address, count: int) -> Together:
    """*count* streams at once, each with a question of its own."""
    return asyncio.run(_together(address, count))
