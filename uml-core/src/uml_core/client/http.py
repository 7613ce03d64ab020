"""One request to the gateway, over the standard library: light to import, and it never asks a proxy."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from uml_core.client.event import Event, EventReader
from uml_core.client.failure import error_of
from uml_core.client.frames import Frames
from uml_core.errors import BadRequestError, InternalServerError, UMLError, UnavailableError, WorkerCrashedError

CONNECT_TIMEOUT_S = 5.0
READ_BYTES = 65536


@frozen(kw_only=True)
class Response:
    """An answer that is no refusal. Closing it before its end tells the gateway that nobody listens any more."""

    url: str
    _connection: http.client.HTTPConnection
    _response: http.client.HTTPResponse

    def read(self) -> Any:
        """The whole body, parsed.

        :raises UMLError: it was cut, it took too long, or it is no JSON
        """
        try:
            body = self._response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _cut(self.url, error) from error
        finally:
            self.close()
        return _json(body, self.url)

    def chunks(self) -> Iterator[Mapping[str, Any]]:
        """The chunks of an event stream, as they come.

        :raises UMLError: an error frame, or a stream that ended without ``[DONE]``
        """
        frames = Frames()
        try:
            while not frames.done and (data := self._response.read1(READ_BYTES)):
                yield from frames.feed(data)
        except (OSError, http.client.HTTPException) as error:
            raise _cut(self.url, error) from error
        finally:
            self.close()
        frames.end()

    def events(self) -> Iterator[Event]:
        """The events of a stream that has no end of its own; returns when the gateway closes it.

        :raises UMLError: it was cut in the middle, or silent for too long
        """
        reader = EventReader()
        try:
            while data := self._response.read1(READ_BYTES):
                yield from reader.feed(data)
        except (OSError, http.client.HTTPException) as error:
            raise _cut(self.url, error) from error
        finally:
            self.close()

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def request(
    method: str, url: str, *, body: object = None, headers: Mapping[str, str] | None = None, timeout_s: float
) -> Response:
    """Send one request on a connection of its own.

    :param headers: further ones
    :param timeout_s: longest silence of the gateway; connecting has 5 s
    :raises UMLError: the gateway's error, as the class of its code; UnavailableError when nobody answers
    """
    connection = _connect(url)
    try:
        if connection.sock:
            connection.sock.settimeout(timeout_s)
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, _target(url), body=data, headers=sent)
        response = connection.getresponse()
        _check(response)
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise _silence(url, error) from error
    except BaseException:
        connection.close()
        raise
    return Response(url=url, connection=connection, response=response)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _connect(url: str) -> http.client.HTTPConnection:
    connection = _connection(url)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        place = f"{connection.host}:{connection.port}"
        raise UnavailableError(f"no gateway answers at '{place}' ({error}); start one with `uml serve`") from error
    return connection


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kinds: dict[str, type[http.client.HTTPConnection]] = {
        "http": http.client.HTTPConnection,
        "https": http.client.HTTPSConnection,
    }
    try:
        return kinds[parts.scheme](parts.hostname or "", parts.port, timeout=CONNECT_TIMEOUT_S)
    except (KeyError, ValueError, http.client.InvalidURL):
        raise BadRequestError(f"'{url}' is no address of a gateway; give one like 'http://127.0.0.1:8650'") from None


def _check(response: http.client.HTTPResponse) -> None:
    if response.status in {http.client.OK, http.client.ACCEPTED}:
        return
    after = response.getheader("Retry-After") or ""
    try:
        body = json.loads(response.read())
    except ValueError:
        body = None
    raise error_of(body, status=response.status, retry_after_s=int(after) if after.isdecimal() else None)


def _json(body: bytes, url: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise InternalServerError(f"what answers at '{url}' is no UML gateway: its body is no JSON") from None


def _silence(url: str, error: Exception) -> UMLError:
    if isinstance(error, TimeoutError):
        return UnavailableError(f"the gateway was silent for too long at '{url}'; `uml logs` says what it is doing")
    return UnavailableError(f"the gateway closed the connection at '{url}' without an answer ({error!r})")


def _cut(url: str, error: Exception) -> UMLError:
    if isinstance(error, TimeoutError):
        return _silence(url, error)
    return WorkerCrashedError(f"the answer of '{url}' was cut off before its end ({error!r})")
