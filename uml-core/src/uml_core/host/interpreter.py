"""What another environment's Python has: asked in a child, and again only after something was installed there."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import field, frozen

from uml_core.errors import SettingsError
from uml_core.types.worker import WORKER_PROTOCOL

ANSWER_S = 10.0
CORE = "uml-core"
_SITE = '\nanswer["site"] = [p for p in sys.path if p.endswith("-packages")]\nprint(json.dumps(answer))\n'
_LOOK = """
import importlib.metadata, json, platform, sys
answer = {"python": platform.python_version(), "protocol": None, "problem": "", "versions": {}}
try:
    from uml_core.types import worker
    answer["protocol"] = getattr(worker, "WORKER_PROTOCOL", 0)
except Exception as error:
    answer["problem"] = f"{type(error).__name__}: {error}"
for name in sys.argv[1:]:
    try:
        answer["versions"][name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
"""


@frozen(kw_only=True)
class Interpreter:
    """One Python as it is now.

    ``protocol`` is that of its uml-core, 0 of one that is older than the number, None where there is none that can be
    imported; ``problem`` says why then. ``versions`` are those of the distributions asked about that it has.
    """

    path: Path
    python: str
    protocol: int | None = WORKER_PROTOCOL
    problem: str = ""
    versions: dict[str, str] = field(factory=dict)


@frozen
class _Answer:
    said: dict[str, Any]
    site: dict[str, int] = field(repr=False)


_answers: dict[tuple[str, ...], _Answer] = {}


def is_own(interpreter: str | Path) -> bool:
    """Whether it is the Python that runs here, which needs no child to be asked."""
    return not str(interpreter) or Path(interpreter) == Path(sys.executable)


def look_into(interpreter: str | Path, distributions: Iterable[str] = ()) -> Interpreter:
    """Which Python it is, which protocol its uml-core speaks, and which of *distributions* it has.

    :raises SettingsError: as :func:`ask`
    """
    names = tuple(dict.fromkeys((CORE, *distributions)))
    if is_own(interpreter):
        return Interpreter(path=Path(sys.executable), python=platform.python_version(), versions=_versions(names))
    said = ask(str(interpreter), _LOOK, *names)
    try:
        known = {name: said[name] for name in ("python", "protocol", "problem", "versions")}
    except KeyError:
        raise _unfit(str(interpreter), "gave no answer that a Python would give") from None
    return Interpreter(path=Path(interpreter), **known)


def ask(interpreter: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run *script* there; it imports ``json`` and ``sys``, and leaves a dictionary in ``answer``.

    :param interpreter: path of another environment's Python
    :raises SettingsError: it can't be run, is older than 3.11, or doesn't answer in 10 seconds
    """
    key = (interpreter, script, *arguments)
    known = _answers.get(key)
    if known is None or known.site != _times(known.site):
        known = _answers[key] = _asked(interpreter, script, arguments)
    return known.said


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _asked(interpreter: str, script: str, arguments: Iterable[str]) -> _Answer:
    try:
        child = subprocess.run(
            [interpreter, "-P", "-c", script + _SITE, *arguments],
            capture_output=True,
            check=True,
            encoding="utf-8",
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_S,
        )
        said = json.loads(child.stdout)
        return _Answer(said, _times(said["site"]))
    except subprocess.TimeoutExpired:
        reason = f"didn't answer in {ANSWER_S:g} seconds"
    except subprocess.CalledProcessError as error:
        reason = f"ended with code {error.returncode}: {' '.join(error.stderr.split())[-200:]}"
    except OSError as error:
        reason = f"can't be run: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        reason = "gave no answer that a Python would give"
    raise _unfit(interpreter, reason)


def _unfit(interpreter: str, reason: str) -> SettingsError:
    return SettingsError(
        f"the interpreter '{interpreter}' {reason}; name a Python 3.11 or newer in the plugin's table of uml.toml"
    )


def _times(site: Iterable[str]) -> dict[str, int]:
    """When something was last installed into or removed from each folder."""
    return {folder: Path(folder).stat().st_mtime_ns if Path(folder).exists() else 0 for folder in site}
