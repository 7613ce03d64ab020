"""A plugin of the kit that offers the sample, stands around the tested plugin, and writes down what passes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

from attrs import field, mutable

from uml_core import API_VERSION, hookimpl
from uml_core.types import Launch, ModelStatus, ModelStore, StoredModel, WorkerCommand, WorkerExit

SAMPLE = "sample-of-the-kit"
"""What the registry calls the sample."""


def nobody(word: str) -> None:
    """Take a word, and forget it."""


@mutable(eq=False)
class Witness:
    """What was launched, how it ended, which states it went through. ``tell`` is called with each, at once."""

    sample: Path
    tell: Callable[[str], None] = nobody
    launches: list[Launch] = field(factory=list)
    commands: list[WorkerCommand] = field(factory=list)
    states: list[str] = field(factory=list)
    exits: list[WorkerExit] = field(factory=list)
    failed_cleanups: list[Exception] = field(factory=list)

    uml_api_version = API_VERSION

    @hookimpl
    def uml_model_stores(self) -> Iterable[ModelStore]:
        path = self.sample
        model = StoredModel(id=SAMPLE, path=path, size_bytes=path.stat().st_size, store="kit")
        return [ModelStore(name="kit", list=lambda: [model])]

    @hookimpl(wrapper=True)
    def uml_launch_worker(self, launch: Launch) -> Generator[None, list[Any], list[Any]]:
        commands = yield
        self.launches.append(launch)
        self.commands.extend(commands[:1])
        self.tell(f"launch {launch.launch_id}")
        return commands

    @hookimpl
    def uml_model_status(self, status: ModelStatus) -> None:
        self.states.append(str(status.state))
        self.tell(f"state {status.state}")

    @hookimpl(wrapper=True)
    def uml_cleanup_worker(self, exit: WorkerExit) -> Generator[None, list[Any], list[Any]]:
        self.exits.append(exit)
        try:
            return (yield)
        except Exception as error:
            self.failed_cleanups.append(error)
            raise
