"""Orders that may arrive twice: the same key and the same body are the same job."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import Any, TypeVar

from attrs import frozen

from uml_core.errors import BadRequestError, ConflictError

KEEP_S = 24 * 3600.0
MOST_KEYS = 1000
_KEY = re.compile(rb"[\x20-\x7e]{1,255}")

Job = TypeVar("Job")
Submit = Callable[[], Awaitable[Job]]


@frozen(eq=False)
class Order:
    """What came with a key first. ``given`` is its job, or is going to be."""

    body: bytes
    given_s: float
    given: asyncio.Task[Any]


class Idempotency:
    """Remembers in memory what was ordered under which key, for a day, of at most 1000 keys."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._orders: OrderedDict[str, Order] = OrderedDict()

    async def job(self, key: str | None, body: bytes, submit: Submit[Job]) -> Job:
        """Submit, unless that was done under this key before; who leaves meanwhile takes nothing back.

        :param body: what is ordered; only compared
        :raises ConflictError: the key came with another body before
        :raises UMLError: what *submit* raises; the key is then as if it had never come
        """
        if key is None:
            return await asyncio.shield(_started(submit))
        self._forget(older_than_s=self._clock() - KEEP_S)
        order = self._orders.get(key)
        if order is None:
            self._forget(more_than=MOST_KEYS - 1)
            order = self._orders[key] = Order(body, self._clock(), _started(submit))
            order.given.add_done_callback(lambda task: self._forget_failed(key, task))
        elif order.body != body:
            raise ConflictError(
                f"'Idempotency-Key: {key}' came with another body before; use a new key for a new order",
                code="idempotency_conflict",
            )
        job: Job = await asyncio.shield(order.given)  # the body says of which kind it is
        return job

    def _forget(self, *, older_than_s: float = -inf, more_than: int = MOST_KEYS) -> None:
        orders = self._orders
        while orders and (len(orders) > more_than or next(iter(orders.values())).given_s < older_than_s):
            orders.popitem(last=False)

    def _forget_failed(self, key: str, task: asyncio.Task[Any]) -> None:
        order = self._orders.get(key)
        if order is not None and order.given is task and (task.cancelled() or task.exception()):
            del self._orders[key]


def _started(submit: Submit[Job]) -> asyncio.Task[Job]:
    task = asyncio.ensure_future(submit())
    task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be left to look at it
    assert isinstance(task, asyncio.Task)
    return task


def key_in(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The value of ``Idempotency-Key``, if there is one.

    :raises BadRequestError: it is too long, or has characters that no key has
    """
    keys = {value for name, value in headers if name == b"idempotency-key"}
    if not keys:
        return None
    key = keys.pop()
    if keys or not _KEY.fullmatch(key):
        raise BadRequestError("'Idempotency-Key' must be one text of 1 to 255 printable ASCII characters")
    return key.decode("ascii")
