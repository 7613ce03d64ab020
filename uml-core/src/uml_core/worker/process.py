"""The life of a worker process: listen, load, answer, end."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import traceback
from typing import NoReturn

from uml_core.errors import InvalidModelFileError, UMLError
from uml_core.worker.engine import EngineThread, Load
from uml_core.worker.launch import LaunchFile

EXIT_FAILED, EXIT_USAGE, EXIT_BAD_FILE, EXIT_NO_ENGINE = 1, 2, 3, 4
CLOSE_S = 3.0
"""How long the engine may take to close itself; below the grace that the supervisor gives by default."""


def serve(load: Load) -> NoReturn:
    """Run the worker that ``UML_LAUNCH_FILE`` describes, until SIGTERM.

    HTTP starts at once, so that ``/health`` can tell of the load, which goes on in the engine's thread. The exit code
    is 0 after SIGTERM, 3 if *load* raised ``InvalidModelFileError``, 4 if it raised ``ImportError``, else 1; the last
    line on stderr says why. SIGINT is ignored: the terminal's Ctrl-C is the parent's to act on.

    :param load: ``load(plan, progress)`` gives the engine; each task is served that it has a method for
    """
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        launch = LaunchFile.from_environment()
        listener = launch.listen()
    except (OSError, KeyError, ValueError) as error:
        _end(EXIT_USAGE, f"a worker is started by UML, with a launch file and a free port: {error!r}")
    engine = EngineThread(load, launch.plan, failed=_end_failed)
    engine.start()
    from uml_core.worker.server import run  # now, not above: a native load leaves the interpreter free meanwhile

    run(engine, launch, listener)
    if engine.engine is not None:
        engine.join(CLOSE_S)
    _end(0)


def _end_failed(error: BaseException) -> NoReturn:
    traceback.print_exception(error)
    code = EXIT_BAD_FILE if isinstance(error, InvalidModelFileError) else EXIT_FAILED
    _end(EXIT_NO_ENGINE if isinstance(error, ImportError) else code, _reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, UMLError):
        return str(error)
    if isinstance(error, ImportError):
        return f"the engine can't be imported: {error}"
    return f"the engine failed: {type(error).__name__}: {error}"


def _end(code: int, reason: str = "") -> NoReturn:
    """End now. An orderly interpreter exit runs native destructors, which may hang or crash and change the code."""
    if reason:
        print(" ".join(reason.split()), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
