"""What somebody wants from the writer, and waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy import Connection
    from sqlalchemy.sql import Executable

Row = Mapping[str, Any]
Read = Callable[["Connection"], Iterable[Row]]
"""Reads rows; it runs on the writer's connection and thread, and what it changes is rolled back."""


@frozen(eq=False)
class Order:
    """A question to the database, or without one the wish to have all rows written; ``deadline_s`` is monotonic."""

    read: Read | Executable | None
    deadline_s: float
    future: Future[list[Row]]
