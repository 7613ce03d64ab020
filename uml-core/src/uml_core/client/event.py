"""What the gateway tells of as it happens: the frames of its own event streams, read from bytes as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen, mutable

from uml_core.errors import InternalServerError

LIMIT_BYTES = 16 * 2**20
"""No event is near this; what is, is no event stream."""


@frozen(kw_only=True)
class Event:
    """Something that happened in the gateway; ``kind`` is ``worker``, ``job``, ``scan``, ``queue``, ``health`` …

    ``id`` rises, and is where a stream can be taken up again; None when the gateway gave none.
    """

    kind: str
    data: Mapping[str, Any]
    id: int | None = None


@mutable
class EventReader:
    """Feed it what arrived, and get the events that are whole."""

    _tail: bytes = b""
    _id: str = ""
    _kind: str = ""
    _data: list[bytes] = field(factory=list)

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that *data* completes.

        :raises InternalServerError: this is no event stream of a gateway
        """
        *lines, self._tail = (self._tail + data).split(b"\n")
        if len(self._tail) > LIMIT_BYTES:
            raise InternalServerError(f"an event is over {LIMIT_BYTES // 2**20} MiB; what sends it is no UML gateway")
        for line in lines:
            yield from self._take(line.rstrip(b"\r"))

    def _take(self, line: bytes) -> Iterator[Event]:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            yield from self._whole()
        elif name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._kind = value.decode("utf-8", "replace")
        elif name == b"id":
            self._id = value.decode("utf-8", "replace")

    def _whole(self) -> Iterator[Event]:
        kind, self._kind = self._kind or "message", ""
        lines, self._data = self._data, []
        if not lines:  # only a comment, or an id by itself
            return
        try:
            said = json.loads(b"\n".join(lines))
        except ValueError:
            raise InternalServerError(f"an event is no JSON: {lines[0][:80]!r}") from None
        data = said if isinstance(said, Mapping) else {"value": said}
        yield Event(kind=kind, data=data, id=int(self._id) if self._id.isdecimal() else None)
