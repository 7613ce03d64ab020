"""Sending one answer, whole or as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from uml_core.errors import UMLError
from uml_core.worker.delta import Whole
from uml_core.worker.events import error_body, event
from uml_core.worker.frames import Frames
from uml_core.worker.generation import Content, Generation, Item
from uml_core.worker.http import Send, send_body, send_json, send_raw, send_start
from uml_core.worker.message import Message
from uml_core.worker.transcript import Finish

_EVENT_STREAM = {b"content-type": b"text/event-stream; charset=utf-8", b"cache-control": b"no-store"}


async def send_made(generation: Generation, send: Send) -> None:
    """Wait for the body that the engine makes by itself, and send it.

    :raises UMLError: the engine raised it
    """
    while True:
        for _, content in await generation.take():
            if isinstance(content, UMLError):
                raise content
            if isinstance(content, Whole):
                return await send_raw(send, 200, content.body)


async def send_whole(generation: Generation, frames: Frames, send: Send) -> None:
    """Wait for the end of all answers and send one body.

    :raises UMLError: the engine raised it
    """
    messages = [Message() for _ in range(frames.shape.answers)]
    while not all(message.finish for message in messages):
        for index, content in await generation.take():
            if isinstance(content, UMLError):
                raise content
            if isinstance(content, Finish):
                messages[index].finish = content
            elif not isinstance(content, Whole):
                messages[index].add(content)
    await send_json(send, 200, frames.whole(messages))


async def send_stream(generation: Generation, frames: Frames, send: Send, *, usage: bool, stall_s: float) -> None:
    """Send events as they come, several in one write when the engine is faster than the reader.

    An error before the first event keeps its status; a later one is the last event, and ``[DONE]`` is not sent.

    :raises UMLError: there was no answer at all
    :raises TimeoutError: the reader took nothing for *stall_s*
    """
    items = await _first(generation)
    await send_start(send, 200, _EVENT_STREAM)
    events = _Events(frames, usage=usage)
    data = frames.opening()
    while not events.ended:
        data += events.encode(items)
        async with asyncio.timeout(stall_s):
            await send_body(send, data.encode("ascii"), more=not events.ended)
        if not events.ended:
            data, items = "", await _next(generation)


class _Events:
    """Turns what comes into events; ``ended`` after the last one."""

    def __init__(self, frames: Frames, *, usage: bool) -> None:
        self._frames, self._usage = frames, usage
        self._finishes: dict[int, Finish] = {}
        self.ended = False

    def encode(self, items: Sequence[Item]) -> str:
        part, rest = self._frames.part, self._encode
        return "".join([part(index, said) if isinstance(said, str) else rest(index, said) for index, said in items])

    def _encode(self, index: int, content: Content) -> str:
        if self.ended:  # an error of one answer has ended all
            return ""
        if isinstance(content, Finish):
            return self._frames.closing(index, content) + self._end(index, content)
        if isinstance(content, UMLError):
            self.ended = True
            return event(error_body(content))
        return "" if isinstance(content, Whole) else self._frames.part(index, content)

    def _end(self, index: int, finish: Finish) -> str:
        self._finishes[index] = finish
        self.ended = len(self._finishes) == self._frames.shape.answers
        return self._frames.ending(self._finishes if self._usage else None) if self.ended else ""


async def _first(generation: Generation) -> Sequence[Item]:
    items: Sequence[Item] = ()
    while not items:
        items = await generation.take()
    if isinstance(failed := items[0][1], UMLError):
        raise failed
    return items


async def _next(generation: Generation) -> Sequence[Item]:
    try:
        return await generation.take()
    except UMLError as error:  # the worker is being stopped; the status is already out
        return [(0, error)]
