"""Whether an engine is there and where, in this interpreter or in another one, without importing it.

An import may compile for minutes, open a device, or raise anything; a look at the path does none of that.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from uml_core.host.interpreter import ask, is_own

_FIND = """
import importlib.machinery, importlib.util, json, sys
name, *rest = sys.argv[1].split(".")
spec = importlib.util.find_spec(name)
for part in rest:
    name += "." + part
    spec = spec and importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations or [])
answer = {"place": spec and (spec.origin or next(iter(spec.submodule_search_locations or ()), ""))}
"""


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
    if is_own(interpreter):
        return _find(module)
    place = ask(interpreter, _FIND, module).get("place")
    return None if place is None else str(place)


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
