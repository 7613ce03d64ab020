"""A backend whose worker is :mod:`uml_core.testing.fake_worker`, for tests of everything around an engine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from uml_core import API_VERSION, hookimpl
from uml_core.errors import InvalidModelFileError
from uml_core.testing import fake_worker
from uml_core.testing.fake_options import FakeOptions
from uml_core.types import (
    BackendInfo,
    Launch,
    Level,
    Match,
    MemoryKind,
    MemoryPart,
    ModelFormat,
    ModelSource,
    ModelStatus,
    Plan,
    Rejected,
    WorkerCommand,
    WorkerExit,
)

MAGIC = fake_worker.MAGIC
MAX_SCRIPT_BYTES = 1 << 20


class FakeSettings(BaseModel):
    """``[plugins.<name>]`` of a fake backend."""

    model_config = ConfigDict(extra="forbid")

    installed: bool = Field(default=True, description="whether the engine counts as installed")


class FakeBackend:
    """A plugin object. It keeps what it was asked, so that tests can count.

    :param name: the backend's name; two in one process need two
    :param level: how well it claims to suit
    :param formats: whether it brings the format ``fake`` along; only one plugin may
    :param ready_timeout_s: the time limit of a load, unless the script has one
    :param stop_grace_s: from TERM to KILL, unless the script has one
    """

    uml_api_version = API_VERSION

    def __init__(
        self,
        name: str = "fake",
        *,
        level: Level = Level.NATIVE,
        formats: bool = True,
        ready_timeout_s: float = 10.0,
        stop_grace_s: float = 1.0,
    ) -> None:
        self.name = name
        self.level = level
        self.ready_timeout_s = ready_timeout_s
        self.stop_grace_s = stop_grace_s
        self._formats = (FAKE_FORMAT,) if formats else ()
        self.launches: list[str] = []
        self.cleanups: list[tuple[Plan, WorkerExit]] = []
        self.statuses: list[ModelStatus] = []

    @hookimpl
    def uml_backend_info(self) -> BackendInfo:
        return BackendInfo(
            name=self.name,
            formats=("fake",),
            tasks=("text-generation",),
            options=FakeOptions,
            settings=FakeSettings,
            engine="uml-core[testing]",
        )

    @hookimpl
    def uml_model_formats(self) -> Iterable[ModelFormat]:
        return self._formats

    @hookimpl
    def uml_detect_backend(self, model: ModelSource, settings: Mapping[str, Any]) -> Match | Rejected | None:
        if model.format != "fake":
            return None
        if not settings.get("installed", True):
            return Rejected("the fake engine is not installed", hint=f"set installed in [plugins.{self.name}]")
        return Match(self.level, "made for the format")

    @hookimpl
    def uml_launch_worker(self, plan: Plan, launch: Launch) -> WorkerCommand:
        self.launches.append(launch.launch_id)
        script = {**scripted(plan.model), **{key: value for key, value in plan.options.items() if value is not None}}
        return WorkerCommand(
            argv=(sys.executable, "-I", "-S", str(fake_worker.PROGRAM)),
            accepts=script.get("accepts", "fd"),
            error_codes={"exceed_context_size_error": "context_length_exceeded"},
            progress=read_progress,
            memory=read_memory,
            ready_timeout_s=script.get("ready_timeout_s", self.ready_timeout_s),
            stop_grace_s=script.get("stop_grace_s", self.stop_grace_s),
        )

    @hookimpl
    def uml_cleanup_worker(self, plan: Plan, exit: WorkerExit) -> None:
        self.cleanups.append((plan, exit))

    @hookimpl
    def uml_model_status(self, status: ModelStatus) -> None:
        self.statuses.append(status)


def write_fake_model(path: Path, *, context_length: int = 4096, **script: Any) -> Path:
    """Write a model of the format ``fake``.

    :param context_length: tokens of context that its header claims
    :param script: keys of :class:`FakeOptions`, the defaults of every load of this model
    """
    FakeOptions.model_validate(script)
    path.write_bytes(MAGIC + json.dumps({"context_length": context_length, **script}).encode())
    return path


def read_fake_model(path: Path) -> ModelSource:
    """Read a model of the format ``fake``.

    :raises InvalidModelFileError: it is too long, or its script is no JSON object
    """
    size = path.stat().st_size
    if size > MAX_SCRIPT_BYTES:
        raise InvalidModelFileError(f"'{path}' has {size} bytes; a fake model has at most {MAX_SCRIPT_BYTES}")
    try:
        header = dict(json.loads(path.read_bytes().removeprefix(MAGIC) or b"{}"))
    except (ValueError, TypeError) as error:
        raise InvalidModelFileError(f"'{path}' has no valid script: {error}; write it anew") from None
    return ModelSource(
        path=path,
        format="fake",
        files=(path,),
        size_bytes=size,
        name=path.stem,
        architecture="fake",
        context_length=header.get("context_length"),
        metadata={f"fake.{key}": value for key, value in header.items()},
    )


def scripted(model: ModelSource) -> dict[str, Any]:
    """The script that the header of *model* holds."""
    return {key.removeprefix("fake."): value for key, value in model.metadata.items()}


def read_progress(line: str) -> float | None:
    """The part that is loaded, from a line of the fake engine's log."""
    words = line.split()
    return float(words[2]) if words[:2] == ["load", "progress"] else None


def read_memory(line: str) -> MemoryPart | None:
    """The memory that the fake engine says it has taken, from a line of its log."""
    words = line.split()
    if words[:1] != ["memory"] or len(words) != 4 or words[2] not in get_args(MemoryKind):
        return None
    return MemoryPart.exact(words[1], cast("MemoryKind", words[2]), int(words[3]), source="measured")


def claims_fake_model(_: Path, head: bytes) -> bool:
    """Whether *head* is the beginning of a fake model."""
    return head.startswith(MAGIC)


FAKE_FORMAT = ModelFormat(name="fake", claims=claims_fake_model, read=read_fake_model)
