"""The life of a worker process: listen, load, answer, end."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import NoReturn

from uml_core.errors import InsufficientMemoryError, InvalidModelFileError, UMLError
from uml_core.types import Plan
from uml_core.worker.engine import EngineThread, Load
from uml_core.worker.launch import LaunchFile

EXIT_FAILED, EXIT_USAGE, EXIT_BAD_FILE, EXIT_NO_ENGINE, EXIT_NO_MEMORY = 1, 2, 3, 4, 5
CLOSE_S = 3.0
"""How long the engine may take to close itself; below the grace that the supervisor gives by default."""


def serve(load: Load) -> NoReturn:
    """Run the worker that ``UML_LAUNCH_FILE`` describes, until SIGTERM.

    HTTP starts at once, so that ``/health`` can tell of the load, which goes on in the engine's thread. The exit code
    is 0 after SIGTERM. It is 3 if *load* raised ``InvalidModelFileError``, or an ``OSError`` about one of the model's
    files; 4 for an ``ImportError``; 5 for ``InsufficientMemoryError``, ``MemoryError``, torch's ``OutOfMemoryError``
    and ``ENOMEM``; else 1. The last line on stderr says why. SIGINT is ignored: the terminal's Ctrl-C is the parent's
    to act on.

    :param load: ``load(plan, progress)`` gives the engine; each task is served that it has a method for
    """
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        launch = LaunchFile.from_environment()
        listener = launch.listen()
    except (OSError, KeyError, ValueError) as error:
        _end(EXIT_USAGE, f"a worker is started by UML, with a launch file and a free port: {error!r}")
    failed = partial(_end_failed, launch.plan)
    engine = EngineThread(load, launch.plan, failed=failed)
    engine.start()
    try:
        from uml_core.worker.server import run  # now, not above: a native load leaves the interpreter free meanwhile

        run(engine, launch, listener)
    except BaseException as error:  # noqa: BLE001 - an orderly exit would wait for the engine's native threads
        failed(error)
    if engine.engine is not None:
        engine.join(CLOSE_S)
    _end(0)


def _end_failed(plan: Plan, error: BaseException) -> NoReturn:
    with contextlib.suppress(MemoryError):  # of which this takes some
        traceback.print_exception(error)
    _end(_code(plan, error), _reason(error))


def _code(plan: Plan, error: BaseException) -> int:
    if _is_for_memory(error):
        return EXIT_NO_MEMORY
    if isinstance(error, ImportError):
        return EXIT_NO_ENGINE
    if isinstance(error, InvalidModelFileError) or (isinstance(error, OSError) and _is_about_the_model(plan, error)):
        return EXIT_BAD_FILE
    return EXIT_FAILED


def _is_for_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | InsufficientMemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, OSError) and error.errno == errno.ENOMEM


def _is_about_the_model(plan: Plan, error: OSError) -> bool:
    if not isinstance(error.filename, str):
        return False
    path = Path(error.filename)
    return path in plan.model.files or path.is_relative_to(plan.model.path)


def _reason(error: BaseException) -> str:
    if isinstance(error, UMLError):
        return str(error)
    if isinstance(error, ImportError):
        return f"the engine can't be imported: {error}"
    name = type(error).__name__ + (f": {error}" if str(error) else "")
    return f"there is not enough memory: {name}" if _is_for_memory(error) else f"the engine failed: {name}"


def _end(code: int, reason: str = "") -> NoReturn:
    """End now. An orderly interpreter exit runs native destructors, which may hang or crash and change the code."""
    try:
        if reason:
            print(" ".join(reason.split()), file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
