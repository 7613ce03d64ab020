"""The models on this machine, for the commands: the live gateway's registry, else one of this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from uml_core.settings import Settings

View = dict[str, Any]
OnProgress = Callable[[View], object]


class ModelRegistry(Protocol):
    """What commands ask; :class:`uml_core.client.UniversalClient` says what each of it does, and gives the same."""

    def listing(self) -> View: ...

    def model(self, model: str) -> View: ...

    def scan(self, *, on_progress: OnProgress | None = None) -> View: ...

    def cancel(self, job_id: str) -> View: ...

    def aliases(self) -> list[View]: ...

    def set_alias(self, alias: str, model: str) -> View: ...

    def remove_alias(self, alias: str) -> View: ...

    def pin(self, model: str, on: bool = True) -> View: ...  # noqa: FBT001, FBT002  # as the client has it

    def remove(self, model: str) -> View: ...

    def advice(self, task: str | None = None) -> View: ...

    @property
    def plan(self) -> Callable[..., View]: ...


@contextlib.contextmanager
def open_registry(settings: Settings, *, writes: bool = False) -> Iterator[ModelRegistry]:
    """The live gateway's registry, else this process's own, which keeps what it learns if it may.

    :param writes: the command is there to change something, so it must be able to keep that
    :raises GatewayRunningError: it *writes*, there is no live gateway, and another process holds the data folder
    """
    from uml_core.cli.gateway import live_client

    client = live_client(settings)
    if client is not None:
        yield client
        return
    from uml_core.cli.local_registry import open_local_registry

    with open_local_registry(settings, writes=writes) as registry:
        yield registry
