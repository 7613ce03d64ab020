"""The careful client must be able to find fault: each way in which an answer can end, from a server that does it."""

import asyncio
import contextlib
import json

import httpx
import pytest
from proving.client import Outcome, ask
from proving.question import Known, Question

KNOWN = Known("Hello there", 2)


def frame(value):
    return f"data: {json.dumps(value)}\n\n"


def delta(content, reason=None):
    return frame({"choices": [{"delta": {"content": content}, "finish_reason": reason}]})


def head(status=200, kind="text/event-stream", more=""):
    return f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\nx-uml-generation: 7\r\n{more}"


def streamed(*frames, end=True):
    chunks = "".join(f"{len(one.encode()):x}\r\n{one}\r\n" for one in frames)
    return head(more="transfer-encoding: chunked\r\n\r\n") + chunks + ("0\r\n\r\n" if end else "")


def whole(value, status=200, more=""):
    body = json.dumps(value)
    return head(status, "application/json", f"{more}content-length: {len(body)}\r\n\r\n") + body


ERROR = {"error": {"code": "worker_crashed", "message": "it died"}}
DONE = "data: [DONE]\n\n"
TEXT = (delta("Hello"), delta(" there"), delta("", "stop"))
ANSWER = {"choices": [{"message": {"content": KNOWN.text}}], "usage": {"completion_tokens": 2}}
STREAMS = {
    "whole": (streamed(*TEXT, DONE), Outcome.WHOLE),
    "comments are no data": (streamed(": ping\n\n", frame(ERROR)), Outcome.REFUSED),
    "an error at once": (streamed(frame(ERROR)), Outcome.REFUSED),
    "an error later": (streamed(TEXT[0], frame(ERROR)), Outcome.CUT),
    "no end": (streamed(*TEXT), Outcome.SILENT),
    "an end without a reason": (streamed(*TEXT[:2], DONE), Outcome.SILENT),
    "nothing at all": (streamed(), Outcome.SILENT),
    "a broken connection": (streamed(TEXT[0], end=False), Outcome.BROKEN),
    "too short": (streamed(TEXT[0], TEXT[2], DONE), Outcome.WRONG),
    "somebody else's": (streamed(delta("Goodbye"), TEXT[2], DONE), Outcome.WRONG),
    "refused": (whole(ERROR, 503), Outcome.REFUSED),
    "no answer": ("", Outcome.BROKEN),
}
BODIES = {
    "whole": (whole(ANSWER), Outcome.WHOLE),
    "short": (whole({**ANSWER, "choices": [{"message": {"content": "Hello"}}]}), Outcome.WRONG),
    "refused": (whole(ERROR, 500), Outcome.REFUSED),
    "broken": (whole(ANSWER)[:-5], Outcome.BROKEN),
}


@contextlib.asynccontextmanager
async def answering(said):
    async def answer(reader, writer):
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said.encode())
            await writer.drain()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, verify=False) as client:
            yield client


async def told_of(said, *, stream):
    tokens = []
    question = Question(number=1, thing="sun", streamed=stream, model="m")
    async with answering(said) as client:
        return await ask(client, question, KNOWN, lambda _, count: tokens.append(count)), sum(tokens)


@pytest.mark.parametrize("case", STREAMS)
async def test_streams(case):
    said, outcome = STREAMS[case]
    told, _ = await told_of(said, stream=True)
    assert told.outcome is outcome


@pytest.mark.parametrize("case", BODIES)
async def test_bodies(case):
    said, outcome = BODIES[case]
    told, _ = await told_of(said, stream=False)
    assert told.outcome is outcome


async def test_what_is_noted():
    told, tokens = await told_of(streamed(*TEXT, DONE), stream=True)
    assert (told.status, told.generation, told.attempts, told.text, tokens) == (200, 7, 1, KNOWN.text, 2)
    assert told.began_s <= told.first_s <= told.ended_s
    told, tokens = await told_of(whole(ANSWER, more="x-uml-attempts: 3\r\n"), stream=False)
    assert (told.attempts, tokens, told.question.id) == (3, 2, "proof-1")
    told, _ = await told_of(whole(ERROR, 500), stream=False)
    assert (told.code, told.first_s) == ("worker_crashed", None)
