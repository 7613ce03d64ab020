"""The script of a fake worker, as options of its backend."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FakeOptions(BaseModel):
    """The script of a fake worker. A key that is left out is as the model file says, else harmless."""

    model_config = ConfigDict(extra="forbid")

    accepts: Literal["fd", "port"] | None = Field(None, description="how the worker takes its endpoint; fd")
    ready_timeout_s: float | None = Field(None, gt=0, le=3600, description="the time limit of the load; the backend's")
    stop_grace_s: float | None = Field(None, ge=0, le=3600, description="from TERM to KILL; the backend's")

    # the load
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
    prompt_bytes: int | None = Field(
        None, ge=0, le=1 << 34, description="resident memory to take with the first prompt of several words, and keep"
    )
    device_bytes: int | None = Field(
        None, ge=0, le=1 << 40, description="memory to take of the first NVIDIA GPU; code 4 without a driver"
    )
    grandchild: Literal["none", "closed", "holding"] | None = Field(
        None, description="leave a process in another session, without or with the inherited descriptors"
    )
    run_file: bool | None = Field(
        None, description="leave a file in the run folder and one in TMPDIR; the log has `run file PATH` lines"
    )
    flood_bytes: int | None = Field(None, ge=0, le=1 << 34, description="write so much to stdout while loading")
    log: tuple[str, ...] | None = Field(
        None, description="lines for the log, at the start; `memory DEVICE KIND BYTES` is read as memory that was taken"
    )
    crash_count_file: str | None = Field(None, description="a path; each start appends one byte to it")
    crash_first: int | None = Field(
        None, ge=0, le=1_000_000, description="only the first starts, by crash_count_file, have faults; all have"
    )

    # the end
    token: Literal["right", "wrong", "any"] | None = Field(
        None, description="right: asks for the token; wrong: refuses even it; any: asks for none"
    )
    ignore_term: bool | None = Field(None, description="go on after TERM")
    stop_s: float | None = Field(None, ge=0, le=3600, description="seconds from TERM to the exit; 0")
    crash_idle_after_s: float | None = Field(
        None, ge=0, le=3600, description="die by stream_signal so long after ready"
    )
    idle_hang_after_s: float | None = Field(
        None, ge=0, le=3600, description="STOP itself so long after ready, when it answers nobody"
    )
    crash_after_requests: int | None = Field(
        None, ge=1, le=1_000_000, description="die by stream_signal after so many finished answers, a probe's too"
    )

    # every answer
    tokens: int | None = Field(None, ge=1, le=1_000_000, description="length of an answer; 8")
    token_s: float | None = Field(None, ge=0, le=60, description="seconds a token; 0")
    slow_prefill_s: float | None = Field(
        None, ge=0, le=3600, description="seconds of CPU before the first token, of a prompt with several words"
    )
    prefill_activity: bool | None = Field(None, description="whether the activity in /health rises meanwhile; false")
    text: str | None = Field(None, description="say this, a character a token, instead of numbered words")
    chunked: bool | None = Field(None, description="streams are chunked (true), or end with the connection")
    quirk: Literal[
        "none", "bare_errors", "dies_of_errors", "lost_text", "no_context_limit", "no_done", "no_max_tokens", "no_role",
        "no_usage", "other_name", "two_finishes",
    ] | None = Field(None, description="one departure from OpenAI's API, for tests of what relies on it")  # fmt: skip
    foreign_errors: bool | None = Field(None, description="a too long prompt gets exceed_context_size_error")
    deaf: bool | None = Field(None, description="go on with an answer after its client has left")
    leak_bytes: int | None = Field(None, ge=0, le=1 << 30, description="memory that each finished answer loses")
    leak_fds: int | None = Field(None, ge=0, le=10_000, description="descriptors that each finished answer loses")

    # faults of answers
    probe_fault: Literal["none", "nan", "null", "empty", "error", "crash", "hang"] | None = Field(
        None,
        description="of the first answers. nan, null: such logprobs; empty: no token; error: 500; crash: by"
        " stream_signal; hang: no answer ever",
    )
    probe_fault_count: int | None = Field(None, ge=0, le=1_000_000, description="how many first answers; 1")
    stream_fault: Literal["none", "crash", "half_frame", "hang", "freeze", "close", "error", "garbage"] | None = Field(
        None,
        description="crash: by stream_signal; half_frame: KILL within a frame; hang: the answer stops, /health goes on;"
        " freeze: STOP; close: ends without [DONE]; error: an error frame; garbage: a frame without JSON",
    )
    stream_fault_after: int | None = Field(None, ge=0, le=1_000_000, description="after so many tokens; 3")
    stream_signal: int | None = Field(None, ge=1, le=64, description="the signal of a crash; KILL")
    poison: str | None = Field(None, description="die by poison_signal of a prompt that contains this")
    poison_after: int | None = Field(None, ge=0, le=1_000_000, description="after so many tokens; 0")
    poison_signal: int | None = Field(None, ge=1, le=64, description="SEGV")
    busy_hang: Literal["none", "deadlock", "spin", "gil", "stop"] | None = Field(
        None,
        description="the engine hangs in the middle of an answer. deadlock: it waits for itself, /health goes on; spin:"
        " it burns CPU, /health goes on; gil: it holds the GIL in C, nothing answers; stop: STOP",
    )
    busy_hang_after: int | None = Field(None, ge=0, le=1_000_000, description="after so many tokens; 3")
