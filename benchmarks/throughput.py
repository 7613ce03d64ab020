"""A real engine's streaming through the gateway, against the same worker's own port, side by side.

python benchmarks/throughput.py [rounds] -- llama.cpp's server with SmolLM2 and 4 sequences at once
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from gateway_process import MODEL, gateway, request, spread, surroundings

TOKENS = 48
STREAMS = (1, 8, 32)


async def stream(address: tuple[str, int], token: str) -> tuple[float, int]:
    """One streamed answer: seconds to its first token, and how many tokens came."""
    prompt = {"role": "user", "content": "Count from 1 to 100."}
    chat = {"model": MODEL, "messages": [prompt], "max_tokens": TOKENS, "temperature": 0, "stream": True}
    body = json.dumps(chat).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{address[1]}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head.encode() + body)
    first, data = 0.0, b""
    while piece := await reader.read(65536):
        data += piece
        if not first and b'"content":"' in data:
            first = time.perf_counter() - started
    writer.close()
    if b"data: [DONE]" not in data:
        raise SystemExit(f"a stream did not end well: {data[-300:]!r}")
    return first, data.count(b'"content":"')


async def together(address: tuple[str, int], token: str, count: int) -> tuple[float, float]:
    """*count* streams at once: tokens a second of all, and the median time to first token."""
    before = time.perf_counter()
    answers = await asyncio.gather(*(stream(address, token) for _ in range(count)))
    seconds = time.perf_counter() - before
    return sum(tokens for _, tokens in answers) / seconds, statistics.median(first for first, _ in answers)


def compare(url: str, worker: tuple[str, int], token: str, rounds: int) -> None:
    parts = urlsplit(url)
    ours = (parts.hostname or "", parts.port or 0)
    print("\n| streams | worker's own port, tokens/s | through the gateway | ratio | first token, own | gateway |")
    print("|---|---|---|---|---|---|")
    for count in STREAMS:
        asyncio.run(together(worker, token, count))  # warm: the prompt is in every sequence's cache
        rows = [
            (asyncio.run(together(worker, token, count)), asyncio.run(together(ours, token, count)))
            for _ in range(rounds)
        ]
        own, through = [row[0][0] for row in rows], [row[1][0] for row in rows]
        ratio = statistics.median(b / a for a, b in zip(own, through, strict=True))
        firsts = [statistics.median(row[side][1] for row in rows) * 1000 for side in (0, 1)]
        print(
            f"| {count} | {spread(own, '', 1)} | {spread(through, '', 1)} | {ratio:.3f} "
            f"| {firsts[0]:.1f} ms | {firsts[1]:.1f} ms |"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(surroundings())
    with gateway() as (_, url, data):
        load = {"model": MODEL, "parallel": 4, "context_length": 1024, "wait": True}
        status, answer = request(url, "POST", "/load_model", load)
        assert status == 200, answer
        token = next(Path(data).glob("run/launch-*/token")).read_text()
        compare(url, ("127.0.0.1", answer["port"]), token, rounds)
    print(surroundings())


if __name__ == "__main__":
    main()
