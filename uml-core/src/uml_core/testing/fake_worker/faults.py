"""What goes wrong with an answer: in its first moment, in the middle, or with the whole engine."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from .process import crash, freeze, hold_gil, say
from .refusal import Ended, RefusedError

if TYPE_CHECKING:
    from .completion import Completion

LONG_S = 3600.0


def break_probe(completion: Completion) -> None:
    """Spoil the first answers of this worker: those by which a supervisor judges a load."""
    script, number = completion.worker.script, int(completion.answer_id.rpartition("-")[2])
    if number <= script.probe_fault_count:
        PROBE_FAULTS[script.probe_fault](completion)


def fail_if_scripted(completion: Completion, token: str) -> None:
    """Fail right before *token*, if that is where the script says so."""
    script, sent = completion.worker.script, completion.sent
    if script.poison and script.poison in completion.prompt and sent == script.poison_after:
        say(f"fake engine: poisoned after {sent} tokens")
        crash(script.poison_signal)
    if sent == script.busy_hang_after:
        HANGS[script.busy_hang](completion)
    if sent == script.stream_fault_after:
        STREAM_FAULTS[script.stream_fault](completion, token)


def _nothing(*_: object) -> None:
    pass


# --- the first answers ------------------------------------------------------------------------------------------


def _nan(completion: Completion) -> None:
    completion.logprob = float("nan")  # on the wire the bare word NaN, which is what Python engines send


def _null(completion: Completion) -> None:
    completion.logprob = None  # what llama.cpp's JSON makes of a NaN


def _empty(completion: Completion) -> None:
    completion.tokens, completion.finish = [], "stop"


def _refuse(_: Completion) -> NoReturn:
    raise RefusedError(500, "the fake engine can't compute, as scripted", "engine_failed", "server_error")


def _die(completion: Completion) -> None:
    crash(completion.worker.script.stream_signal)


def _never(_: Completion) -> NoReturn:
    threading.Event().wait()
    raise Ended


PROBE_FAULTS: dict[str, Callable[[Completion], None]] = {
    "none": _nothing,
    "nan": _nan,
    "null": _null,
    "empty": _empty,
    "error": _refuse,
    "crash": _die,
    "hang": _never,
}


# --- the whole engine -------------------------------------------------------------------------------------------


def _deadlock(completion: Completion) -> None:
    completion.worker.engine.acquire()
    completion.worker.engine.acquire()


def _spin(completion: Completion) -> None:
    completion.worker.engine.acquire()
    while True:
        sum(range(10_000))


def _hold_gil(completion: Completion) -> None:
    completion.worker.engine.acquire()
    hold_gil(LONG_S)


def _stop(_: Completion) -> None:
    freeze()


HANGS: dict[str, Callable[[Completion], None]] = {
    "none": _nothing,
    "deadlock": _deadlock,
    "spin": _spin,
    "gil": _hold_gil,
    "stop": _stop,
}


# --- one stream -------------------------------------------------------------------------------------------------


def _crash(completion: Completion, _: str) -> None:
    crash(completion.worker.script.stream_signal)


def _half_frame(completion: Completion, token: str) -> None:
    if completion.stream:
        frame = completion.frame(token)
        completion.send(frame[: len(frame) // 2])
    crash(signal.SIGKILL)


def _hang(completion: Completion, _: str) -> None:
    completion.worker.stopping.wait()
    raise Ended


def _freeze(*_: object) -> None:
    freeze()


def _close(*_: object) -> None:
    raise Ended


def _error(completion: Completion, _: str) -> None:
    refused = RefusedError(503, "the fake engine failed as scripted", "engine_failed", "server_error")
    if not completion.stream:
        raise refused
    completion.send(f"data: {json.dumps(refused.body)}\n\n".encode())
    raise Ended


def _garbage(completion: Completion, _: str) -> None:
    completion.send(b"data: {this is not JSON\n\n")
    raise Ended


STREAM_FAULTS: dict[str, Callable[[Completion, str], None]] = {
    "none": _nothing,
    "crash": _crash,
    "half_frame": _half_frame,
    "hang": _hang,
    "freeze": _freeze,
    "close": _close,
    "error": _error,
    "garbage": _garbage,
}
