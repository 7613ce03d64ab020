"""Sending one answer, whole or as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from uml_core.errors import UMLError
from uml_core.worker.frames import Frames, error_body, event
from uml_core.worker.generation import Generation, Item
from uml_core.worker.http import Send, send_body, send_json, send_start
from uml_core.worker.transcript import Finish

_EVENT_STREAM = {b"content-type": b"text/event-stream; charset=utf-8", b"cache-control": b"no-store"}


async def send_whole(generation: Generation, frames: Frames, send: Send) -> None:
    """Wait for the end and send one body.

    :raises UMLError: the engine raised it
    """
    texts: list[str] = []
    while True:
        for item in await generation.take():
            if isinstance(item, UMLError):
                raise item
            if isinstance(item, Finish):
                return await send_json(send, 200, frames.whole("".join(texts), item))
            texts.append(item)


async def send_stream(generation: Generation, frames: Frames, send: Send, *, usage: bool, stall_s: float) -> None:
    """Send events as they come, several in one write when the engine is faster than the reader.

    An error before the first event keeps its status; a later one is the last event, and ``[DONE]`` is not sent.

    :raises UMLError: there was no answer at all
    :raises TimeoutError: the reader took nothing for *stall_s*
    """
    items = await _first(generation)
    await send_start(send, 200, _EVENT_STREAM)
    data, more = frames.opening(), True
    while more:
        events, more = _encode(items, frames, usage=usage)
        async with asyncio.timeout(stall_s):
            await send_body(send, data + events, more=more)
        if more:
            data, items = b"", await _next(generation)


async def _first(generation: Generation) -> Sequence[Item]:
    items: Sequence[Item] = ()
    while not items:
        items = await generation.take()
    if isinstance(items[0], UMLError):
        raise items[0]
    return items


async def _next(generation: Generation) -> Sequence[Item]:
    try:
        return await generation.take()
    except UMLError as error:  # the worker is being stopped; the status is already out
        return [error]


def _encode(items: Sequence[Item], frames: Frames, *, usage: bool) -> tuple[bytes, bool]:
    events = frames.texts(item for item in items if isinstance(item, str))
    end = items[-1] if items else ""
    if isinstance(end, Finish):
        return events + frames.closing(end, usage=usage), False
    if isinstance(end, UMLError):
        return events + event(error_body(end)), False
    return events, True
