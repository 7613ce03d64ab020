"""What an exit code or a signal says, when nothing better is known."""

from __future__ import annotations

import re
import signal

from uml_core.supervisor.diagnosis_case import Case
from uml_core.types import Diagnosis, WorkerExit

CRASHES = {
    "SIGSEGV": "its engine crashed (SIGSEGV: it reached for memory that is not its own)",
    "SIGABRT": "its engine stopped at something that it can't go on from (SIGABRT)",
    "SIGFPE": "its engine crashed (SIGFPE: an impossible calculation)",
    "SIGSYS": "its engine did something that this system forbids (SIGSYS)",
}
WINDOWS = {0xC0000005: "SIGSEGV", 0xC0000006: "SIGBUS", 0xC000001D: "SIGILL", 0xC0000409: "SIGABRT"}
"""Windows ends a process with such codes where others send a signal."""
CONFESSIONS = re.compile(
    r"(?<![\w.-])[\w.-]{1,99}\.(?:c|cc|cpp|cu|cuh|h|hpp|m|rs):\d+: .*"
    r"|(?:CUDA error|[Aa]ssertion|what\(\):|panicked at|fatal error).*"
)
"""How engines say, before they give up, where and why; a source file's folder is of no use to anybody."""

CODES = {
    2: (
        "model_load_failed",
        "its worker does not understand how it was started",
        "UML and backend '{backend}' may be of different versions: update both",
    ),
    3: ("invalid_model_file", "its file is missing or damaged", "download it again"),
    4: ("missing_engine", "the engine can't be imported", "install what backend '{backend}' needs, see `uml plugins`"),
    5: ("insufficient_memory", "there is too little free memory for it", "close other programs, {or_less}"),
    78: ("model_load_failed", "its worker finds a fault in its settings", "correct [plugins.{backend}] in uml.toml"),
    125: ("missing_engine", "its program could not be started", "correct [plugins.{backend}] in uml.toml"),
    126: ("missing_engine", "its program may not be run", "correct [plugins.{backend}] in uml.toml"),
    127: ("missing_engine", "its program could not be started", "correct [plugins.{backend}] in uml.toml"),
}
"""The exit codes that ``uml_core.worker.serve``, shells and service managers give a meaning. All fail again."""


def hung(case: Case) -> Diagnosis | None:
    """We ended it because it did not move any more."""
    if not case.exit.hung:
        return None
    return case.found(
        "worker_timeout",
        "its worker did not move any more and was ended",
        f"{_again(case)}; `uml logs` shows where it hung",
    )


def late(case: Case) -> Diagnosis | None:
    """We ended its load, or are about to, because it took too long."""
    running = case.exit.code is None and case.exit.signal is None
    if not case.loading or not (case.exit.intended or running):
        return None
    return case.found(
        "load_timeout",
        f"it was not ready after {case.elapsed_s:.0f} s",
        "if it is only slow to load, raise `load_timeout_s` in [supervisor] of uml.toml",
    )


def killed(case: Case) -> Diagnosis | None:
    """Somebody else ended it: the kernel, for memory, if it counted that; else nobody knows who."""
    name = signal_of(case.exit)
    if name == "SIGKILL" and case.exit.oom_kills:
        peak = f" when it held {size(case.exit.peak_bytes)}" if case.exit.peak_bytes else ""
        return case.found(
            "insufficient_memory",
            f"there was no memory left, and the system killed it{peak} (an out-of-memory kill)",
            f"close other programs, {case.or_less()}",
            deterministic=True,
            suggestion=case.less(),
        )
    if name not in {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU"}:
        return None
    why_not = {
        None: " (whether it was for memory can't be seen on this system)",
        0: " (no out-of-memory kill was counted)",
    }
    return case.found(
        "worker_killed",
        f"its process was killed by {name}, and the sender is unknown"
        f"{why_not.get(case.exit.oom_kills, '') if name == 'SIGKILL' else ''}",
        f"{_again(case)}; the system's log may know more (`dmesg`)",
    )


def by_signal(case: Case) -> Diagnosis | None:
    """The engine crashed."""
    name = signal_of(case.exit)
    if name is None:
        return None
    if name == "SIGILL":
        return case.found(
            "worker_crashed",
            "its engine was built for a processor that has more instructions than this one (SIGILL)",
            f"install a build of the engine of backend '{case.plan.backend}' for this processor, or compile it here",
            deterministic=True,
        )
    if name == "SIGBUS":
        because = "one of its files was shortened while it was in use, or the disk failed (SIGBUS)"
        return case.found("worker_crashed", because, "see that its files are whole, then load it again")
    because = CRASHES.get(name, f"its engine crashed ({name})")
    confession = next((found for line in case.lines if (found := CONFESSIONS.search(line))), None)
    if confession is None:
        return case.found("worker_crashed", because, _other_engine(case))
    because += f" and said '{case.quoted(confession[0])}'"
    return case.found("worker_crashed", because, _other_engine(case), evidence=confession.string)


def by_code(case: Case) -> Diagnosis:
    """What is left: a number, and a last line."""
    code, last = case.exit.code, case.quoted(case.complaint)
    if code == 0:
        because = "its worker ended without an error, as it does when somebody sends it TERM"
        return case.found("worker_killed", because, _again(case))
    if case.loading and code in CODES:
        name, because, way_out = CODES[code]
        return case.found(
            name,
            f"{because} ({last or f'exit code {code}'})",
            way_out.format(backend=case.plan.backend, or_less=case.or_less()),
            deterministic=True,
            suggestion=case.less() if name == "insufficient_memory" else None,
        )
    because = f"its worker gave up with exit code {code}" + (f" and said '{last}'" if last else "")
    name = "model_load_failed" if case.loading else "worker_crashed"
    return case.found(name, because, "`uml logs` has all that it said", evidence=case.complaint)


def signal_of(exit: WorkerExit) -> str | None:
    """The name of the signal that ended it, also if a shell around it, or Windows, made a code of it."""
    number = exit.signal
    if number is None and exit.code is not None:
        if exit.code in WINDOWS:
            return WINDOWS[exit.code]
        number = exit.code - 128 if 128 < exit.code < 160 else None
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def size(count: float) -> str:
    """*count* bytes in the unit that suits."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _again(case: Case) -> str:
    return f"load it again with {case.command({})}" if case.loading else "send the request again"


def _other_engine(case: Case) -> str:
    engine = f"update the engine of backend '{case.plan.backend}'"
    if case.loading:
        return f"download the model again, {engine}, or choose another backend with `--backend`"
    return f"send the request again; if it happens again, {engine} or choose another"
