"""A row for each request that was accepted: one when it begins, and the same one when it has ended. Never a prompt."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

from uml_core.errors import InternalServerError, RequestCancelledError
from uml_core.server.exchange import Exchange
from uml_core.server.question import Question

TABLE = "requests"
LEFT = frozenset({"client_gone", RequestCancelledError.code})
"""Ends that somebody wanted."""


class Rows(Protocol):
    """Where rows are kept; :class:`uml_core.storage.Storage` is one."""

    run_id: str

    def put(self, table: str, row: Mapping[str, Any]) -> None: ...


class Counts(Protocol):
    """Where answers are counted by model; :class:`uml_core.registry.records.Records` is one."""

    def count_request(self, model_id: str, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None: ...


class Journal:
    """Keeps the rows of one run of the gateway; without *rows* it keeps nothing."""

    def __init__(self, rows: Rows | None, counts: Counts | None = None) -> None:
        """Begin with the first row.

        :param counts: told of every answer that was complete
        """
        self._rows = rows
        self._counts = counts
        self._numbers = itertools.count(1)

    def begin(self, exchange: Exchange, question: Question, *, streamed: bool) -> None:
        """Note that a request was accepted, and see to it that its end is noted too, exactly once."""
        rows = self._rows
        if rows is None:
            return
        row = {
            "id": f"{rows.run_id}-{next(self._numbers)}",
            "run_id": rows.run_id,
            "request_id": exchange.id,
            "started": _now(),
            "model_id": question.load.model,
            "task": question.task.name,
            "path": question.task.path,
            "status": "started",
            "streamed": streamed,
        }
        rows.put(TABLE, row)

        def end(exchange: Exchange) -> None:
            rows.put(TABLE, {**row, **_end_of(exchange)})
            self._count(exchange)

        exchange.at_end = end

    def _count(self, exchange: Exchange) -> None:
        if self._counts is not None and exchange.model is not None and _outcome(exchange)[0] == "ok":
            self._counts.count_request(
                exchange.model,
                prompt_tokens=exchange.usage.prompt_tokens or 0,
                completion_tokens=exchange.usage.completion_tokens or 0,
            )


def _end_of(exchange: Exchange) -> dict[str, Any]:
    first_s = exchange.first_s
    status, code = _outcome(exchange)
    return {
        "finished": _now(),
        "generation": exchange.generation,
        "attempts": exchange.attempts,
        "status": status,
        "code": code,
        "http_status": exchange.status,
        "prompt_tokens": exchange.usage.prompt_tokens,
        "completion_tokens": exchange.usage.completion_tokens,
        "queue_s": exchange.queue_s,
        "first_token_s": None if first_s is None else first_s - exchange.started_s,
        "total_s": monotonic() - exchange.started_s,
    }


def _outcome(exchange: Exchange) -> tuple[str, str | None]:
    if exchange.ended in LEFT:
        return "cancelled", exchange.ended
    if exchange.ended is None and exchange.complete:
        return "ok", None
    return "error", exchange.ended or InternalServerError.code


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
