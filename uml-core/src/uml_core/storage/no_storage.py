"""The storage of those who want none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uml_core.storage.order import Read, Row
from uml_core.storage.storage import READ_S, Storage

if TYPE_CHECKING:
    from sqlalchemy.sql import Executable


class NoStorage(Storage):
    """Takes everything, keeps nothing, and never is in trouble."""

    def __init__(self, *, run_id: str = "none") -> None:
        self.run_id = run_id

    def start(self) -> None:
        pass

    def close(self, timeout_s: float = 5.0, *, leaving: bool = False) -> None:
        pass

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        pass

    async def select(self, read: Read | Executable, *, limit_s: float = READ_S) -> list[Row]:  # noqa: ARG002
        return []

    def flush(self, timeout_s: float = 5.0) -> None:
        pass

    @property
    def degraded(self) -> str | None:
        return None

    @property
    def dropped(self) -> int:
        return 0
