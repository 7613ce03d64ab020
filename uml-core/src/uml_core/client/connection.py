"""Where a gateway is, and the ways to ask it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from uml_core.client.event import Event
from uml_core.client.http import Response, request
from uml_core.errors import UMLError

STREAM_SILENCE_S = 60.0
"""The gateway writes a comment into a quiet event stream much more often; one that says nothing for so long is dead."""
RECONNECT_S = 0.5


@frozen(kw_only=True)
class Connection:
    """A gateway by its address; each request has a connection of its own. ``timeout_s`` is its longest silence."""

    base_url: str
    timeout_s: float

    def get(self, path: str) -> Any:
        """What is there, parsed.

        :raises UMLError: the gateway's error, as the class of its code; UnavailableError when nobody answers
        """
        return self.send("GET", path).read()

    def send(self, method: str, path: str, body: object = None, *, idempotency_key: str | None = None) -> Response:
        """Send one request, and give the answer once it begins; raises as :meth:`get` does."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return request(method, self.base_url + path, body=body, headers=headers, timeout_s=self.timeout_s)

    def listen(self, path: str, after: int | None) -> Iterator[Event]:
        """The events of one stream, until it ends or breaks.

        :param after: the id of the last event that is known
        :raises UMLError: it could not be opened, or broke
        """
        return self._opened(path, after).events()

    def listen_on(self, path: str, after: int | None) -> Iterator[Event]:
        """The events of a stream that is taken up again where it breaks, until it ends.

        :raises UMLError: it could not be opened, or not again
        """
        while True:
            stream = self._opened(path, after)
            try:
                for event in stream.events():
                    after = event.id or after
                    yield event
            except UMLError:  # it broke; if the gateway has gone, opening it anew says so
                time.sleep(RECONNECT_S)
            else:
                return

    def _opened(self, path: str, after: int | None) -> Response:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after is not None else {})
        silence_s = min(self.timeout_s, STREAM_SILENCE_S)
        return request("GET", self.base_url + path, headers=headers, timeout_s=silence_s)
