"""A backend whose worker is :mod:`uml_core.testing.fake_worker`, for tests of everything around an engine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from uml_core import API_VERSION, hookimpl
from uml_core.errors import InvalidModelFileError
from uml_core.testing import fake_worker
from uml_core.types import (
    BackendInfo,
    Launch,
    Level,
    Match,
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


class FakeOptions(BaseModel):
    """The script of a fake worker. A key that is left out is as the model file says, else harmless."""

    model_config = ConfigDict(extra="forbid")

    accepts: Literal["fd", "port"] | None = Field(None, description="how the worker takes its endpoint; fd")
    ready_timeout_s: float | None = Field(None, gt=0, le=3600, description="the time limit of the load; the backend's")
    stop_grace_s: float | None = Field(None, ge=0, le=3600, description="from TERM to KILL; the backend's")

    load_s: float | None = Field(None, ge=0, le=3600, description="seconds of loading, with rising progress")
    report_progress: bool | None = Field(None, description="whether /health knows the progress; true")
    log_progress: bool | None = Field(None, description="write `load progress 0.40` lines while loading")
    never_ready: bool | None = Field(None, description="load for ever; /health answers 503")
    never_listens: bool | None = Field(None, description="load, but accept no connection")
    load_exit: int | None = Field(None, ge=0, le=255, description="end the load with this exit code")
    load_signal: int | None = Field(None, ge=1, le=64, description="end the load with this signal")
    load_fault_after_s: float | None = Field(
        None, ge=0, le=3600, description="when load_exit or load_signal strikes; 0"
    )
    hold_gil: Literal["none", "before", "after"] | None = Field(
        None, description="hold the GIL in C while loading, before or after it begins to listen"
    )
    hold_gil_s: float | None = Field(None, ge=0, le=3600, description="for how many seconds")
    allocate_bytes: int | None = Field(None, ge=0, le=1 << 34, description="resident memory to take while loading")
    grandchild: Literal["none", "closed", "holding"] | None = Field(
        None, description="leave a process in another session, without or with the inherited descriptors"
    )
    flood_bytes: int | None = Field(None, ge=0, le=1 << 34, description="write so much to stdout while loading")
    log: tuple[str, ...] | None = Field(None, description="lines for the log, at the start")

    token: Literal["right", "wrong", "any"] | None = Field(
        None, description="right: asks for the token; wrong: refuses even it; any: asks for none"
    )
    ignore_term: bool | None = Field(None, description="go on after TERM")
    stop_s: float | None = Field(None, ge=0, le=3600, description="seconds from TERM to the exit; 0")
    crash_idle_after_s: float | None = Field(
        None, ge=0, le=3600, description="die by stream_signal so long after ready"
    )

    tokens: int | None = Field(None, ge=1, le=1_000_000, description="length of an answer; 8")
    token_s: float | None = Field(None, ge=0, le=60, description="seconds a token; 0")
    text: str | None = Field(None, description="say this, a character a token, instead of numbered words")
    chunked: bool | None = Field(None, description="streams are chunked (true), or end with the connection")
    quirk: Literal[
        "none", "bare_errors", "dies_of_errors", "lost_text", "no_context_limit", "no_done", "no_max_tokens", "no_role",
        "no_usage", "other_name", "two_finishes",
    ] | None = Field(None, description="one departure from OpenAI's API, for tests of what relies on it")  # fmt: skip
    foreign_errors: bool | None = Field(None, description="a too long prompt gets exceed_context_size_error")
    deaf: bool | None = Field(None, description="go on with an answer after its client has left")
    stream_fault: Literal["none", "crash", "half_frame", "hang", "freeze", "close", "error", "garbage"] | None = Field(
        None,
        description="crash: by stream_signal; half_frame: KILL within a frame; hang: the answer stops, /health goes on;"
        " freeze: STOP; close: ends without [DONE]; error: an error frame; garbage: a frame without JSON",
    )
    stream_fault_after: int | None = Field(None, ge=0, le=1_000_000, description="after so many tokens; 3")
    stream_signal: int | None = Field(None, ge=1, le=64, description="the signal of a crash; KILL")


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
            argv=(sys.executable, "-I", "-S", str(Path(fake_worker.__file__))),
            accepts=script.get("accepts", "fd"),
            error_codes={"exceed_context_size_error": "context_length_exceeded"},
            progress=read_progress,
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


def claims_fake_model(_: Path, head: bytes) -> bool:
    """Whether *head* is the beginning of a fake model."""
    return head.startswith(MAGIC)


FAKE_FORMAT = ModelFormat(name="fake", claims=claims_fake_model, read=read_fake_model)
