"""Why a worker ended: its backend is asked first, then core reads the signs itself."""

from __future__ import annotations

import logging
import re

from uml_core.errors import ModelLoadError, UMLError, WorkerCrashedError, class_of
from uml_core.plugins import Plugins
from uml_core.supervisor.diagnosis_case import Case
from uml_core.supervisor.diagnosis_exit import by_code, by_signal, hung, killed, late
from uml_core.supervisor.diagnosis_log import by_log
from uml_core.supervisor.hooks import ask_backend
from uml_core.types import Diagnosis, Plan, WorkerExit

RULES = (hung, late, killed, by_log, by_signal, by_code)
"""In this order: what we know to be so goes before what a log says, and a log before a bare number."""

LAST_LINES = 12
DUMP, BEFORE_DUMP = "Fatal Python error: ", 4
"""A dump of all stacks is long: what the engine said before it tells more than its end."""
LINE_CHARACTERS = 500
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
log = logging.getLogger(__name__)


async def diagnose(plugins: Plugins, plan: Plan, exit: WorkerExit, *, elapsed_s: float) -> Diagnosis:
    """Ask the backend of *plan*; the generic diagnosis if it has none, fails, or does not answer in time.

    :param exit: how the worker ended; without code and signal it still runs, and was too slow
    :param elapsed_s: since its launch
    """
    try:
        answer = await ask_backend(plugins, "uml_diagnose_exit", plan=plan, exit=exit)
    except UMLError as error:
        log.warning("no diagnosis from the backend: %s", error.message)
        answer = None
    if isinstance(answer, Diagnosis):
        return answer
    if answer is not None:
        log.warning("backend '%s' gave a %s for a Diagnosis", plan.backend, type(answer).__name__)
    return generic(plan, exit, elapsed_s=elapsed_s)


def generic(plan: Plan, exit: WorkerExit, *, elapsed_s: float) -> Diagnosis:
    """Read code, signal, state and log as any engine leaves them."""
    case = Case(plan=plan, exit=exit, elapsed_s=elapsed_s)
    return next(found for rule in RULES if (found := rule(case)))


def to_error(diagnosis: Diagnosis, *, plan: Plan, exit: WorkerExit) -> UMLError:
    """Make the error that a user meets: the class of the diagnosis' code, with the worker's last lines as ``detail``.

    A code that no class has goes with ``ModelLoadError``, or with ``WorkerCrashedError`` if the model was loaded.
    """
    case = Case(plan=plan, exit=exit)
    kind = class_of(diagnosis.code, 0) or (ModelLoadError if case.loading else WorkerCrashedError)
    named = plan.model_id in diagnosis.message or case.who in diagnosis.message
    return kind(
        diagnosis.message if named else f"{case.opening}: {diagnosis.message}",
        detail=_last_words(exit, diagnosis.evidence),
        code=diagnosis.code,
        permanent=diagnosis.deterministic,
    )


def _last_words(exit: WorkerExit, evidence: str) -> tuple[str, ...]:
    """The last lines; the telling one goes first if it was said before them."""
    lines = [line for raw in exit.log_tail if (line := _plain(raw))]
    told = _plain(evidence)
    dumps = [number for number, line in enumerate(lines) if line.startswith(DUMP)]
    start = max(0, dumps[-1] - BEFORE_DUMP) if dumps else max(0, len(lines) - LAST_LINES)
    last = lines[start : start + LAST_LINES]
    return tuple(last if not told or told in last else [told, *last[1 - LAST_LINES :]])


def _plain(line: str) -> str:
    """*line* as it may go to a terminal: without colours and control characters, and not too long."""
    text = ESCAPES.sub("", line).replace("\t", "    ").rstrip()
    safe = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return safe if len(safe) <= LINE_CHARACTERS else f"{safe[: LINE_CHARACTERS - 1]}…"
