"""Ports for workers: the bind decides, and psutil says who is in the way."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from collections.abc import Iterable, Sequence

import psutil

from uml_core.errors import PortInUseError

HOST = "127.0.0.1"


def reserve(ports: Sequence[int]) -> socket.socket:
    """Bind and listen on a free port of *ports*.

    The start is random, so that a port that was just released, and may have connections in TIME_WAIT or clients that
    still believe in it, isn't the next one taken.

    :raises PortInUseError: all are taken; the sentence names holders
    """
    start = random.randrange(len(ports)) if ports else 0  # noqa: S311
    for port in (*ports[start:], *ports[:start]):
        with contextlib.suppress(OSError):
            return listen(HOST, port)
    raise PortInUseError(
        f"every port that workers may use ({ports[0]}-{ports[-1]}) is taken, {ports[0]} by {holder(ports[0])}; "
        "widen `ports` in [supervisor] of uml.toml"
        if ports
        else "the range of ports for workers is empty; set `ports` in [supervisor] of uml.toml"
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind *port* (0 takes a free one) and listen.

    :raises OSError: the port is taken or not allowed
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def is_free(host: str, port: int) -> bool:
    """Whether *port* could be bound now; connections that are still being closed don't count."""
    try:
        listen(host, port).close()
    except OSError:
        return False
    return True


def gateway_listener(host: str, port: int) -> socket.socket:
    """Bind the gateway's own port.

    :raises PortInUseError: it is taken, or this user may not have it
    """
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} on {host} is taken by {holder(port)}; stop that program, or choose another port "
                "with --port"
            ) from None
        raise PortInUseError(
            f"can't listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from None


def holder(port: int) -> str:
    """Name the process that listens on *port*, as far as this user may know."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                return _name(connection.pid)
    return "another program"


def _name(pid: int | None) -> str:
    if pid is None:
        return "a program of another user"
    with contextlib.suppress(psutil.Error):
        return f"'{psutil.Process(pid).name()}' (pid {pid})"
    return f"pid {pid}"


def listens(pids: Iterable[int], port: int) -> bool:
    """Say whether one of *pids* listens on *port*: the proof that a foreign server's port is our worker's."""
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False
