"""Whether an engine is there and where, in this interpreter or in another one, without importing it.

An import may compile for minutes, open a device, or raise anything; a look at the path does none of that.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

from attrs import field, frozen

from uml_core.errors import SettingsError

ANSWER_S = 10.0
_FIND = """
import importlib.machinery, importlib.util, json, sys, sysconfig
name, *rest = sys.argv[1].split(".")
spec = importlib.util.find_spec(name)
for part in rest:
    name += "." + part
    spec = spec and importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations or [])
place = spec and (spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
print(json.dumps({"place": place, "site": [p for p in sys.path if p.endswith("-packages")]}))
"""


@frozen
class _Answer:
    place: str | None
    site: dict[str, int] = field(repr=False)


_answers: dict[tuple[str, str], _Answer] = {}


def is_installed(module: str, *, interpreter: str = "") -> bool:
    """Whether *module* could be imported.

    :param interpreter: path of another environment's Python; it is asked in a child process, and again only when
        something was installed there since
    :raises SettingsError: *interpreter* can't be run, or doesn't answer in 10 seconds
    """
    return _place(module, interpreter) is not None


def find_engine(module: str, *, interpreter: str = "") -> Path | None:
    """Where *module* lies: its file, a package's ``__init__.py``; None if it could not be imported.

    :param interpreter: as for :func:`is_installed`
    :raises SettingsError: as :func:`is_installed`
    """
    place = _place(module, interpreter)
    return Path(place) if place is not None else None


def _place(module: str, interpreter: str) -> str | None:
    if not interpreter or Path(interpreter) == Path(sys.executable):
        return _find(module)
    known = _answers.get((interpreter, module))
    if known is None or known.site != _times(known.site):
        known = _answers[interpreter, module] = _ask(module, interpreter)
    return known.place


def _find(module: str) -> str | None:
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except ValueError:  # it is imported, but without a spec
        return None if rest else str(getattr(sys.modules[first], "__file__", None) or "")
    name = first
    for part in rest:  # find_spec("a.b") would import a
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations or []) if spec else None
    return str(spec.origin or next(iter(spec.submodule_search_locations or ()), "")) if spec else None


def _ask(module: str, interpreter: str) -> _Answer:
    try:
        child = subprocess.run(
            [interpreter, "-P", "-c", _FIND, module],
            capture_output=True,
            check=True,
            encoding="utf-8",
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_S,
        )
        answer = json.loads(child.stdout)
        return _Answer(answer["place"], _times(answer["site"]))
    except subprocess.TimeoutExpired:
        reason = f"didn't answer in {ANSWER_S:g} seconds"
    except subprocess.CalledProcessError as error:
        reason = f"ended with code {error.returncode}: {' '.join(error.stderr.split())[-200:]}"
    except OSError as error:
        reason = f"can't be run: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        reason = "gave no answer that a Python would give"
    raise SettingsError(
        f"the interpreter '{interpreter}' {reason}; name a Python 3.11 or newer in the plugin's table of uml.toml"
    )


def _times(site: Iterable[str]) -> dict[str, int]:
    """When something was last installed into or removed from each folder."""
    return {folder: Path(folder).stat().st_mtime_ns if Path(folder).exists() else 0 for folder in site}
