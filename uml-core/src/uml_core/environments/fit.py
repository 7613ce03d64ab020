"""Whether a worker that is launched in another Python would understand this UML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core import __version__
from uml_core.environments.facts import distribution_of
from uml_core.errors import SettingsError
from uml_core.host.interpreter import CORE, Interpreter, is_own, look_into
from uml_core.plugins import PluginCard
from uml_core.python_settings import PythonSettings
from uml_core.types import BackendInfo, Rejected
from uml_core.types.worker import WORKER_PROTOCOL


def misfit(card: PluginCard, table: Mapping[str, Any]) -> Rejected | None:
    """Why the interpreter that the settings name won't do for the workers of a backend; None if it will.

    :param table: the plugin's own table of ``uml.toml``, validated
    """
    interpreter = str(table.get("python") or "")
    if card.backend is None or is_own(interpreter):
        return None
    own = distribution_of(card)
    try:
        found = look_into(interpreter, [own])
    except SettingsError as error:
        reason, _, hint = error.message.rpartition("; ")
        return Rejected(reason, hint=f"`uml plugins install {card.backend.name} --isolated` makes one, or {hint}")
    if not speaks_protocol(card.backend):
        return None
    reason = _difference(found) or _lack(found, own)
    return Rejected(reason, hint=_way_out(card.backend.name, interpreter, own)) if reason else None


def speaks_protocol(backend: BackendInfo) -> bool:
    """Whether its workers call ``uml_core.worker.serve`` in the Python that its settings name."""
    return backend.settings is not None and issubclass(backend.settings, PythonSettings)


def _difference(found: Interpreter) -> str:
    if found.protocol == WORKER_PROTOCOL:
        return ""
    here = f"UML {__version__} here"
    if found.protocol is None:
        lacks = f"no {CORE}" if CORE not in found.versions else f"a {CORE} that can't be imported ({found.problem})"
        return f"the interpreter '{found.path}' has {lacks}, which a worker of {here} needs"
    there = f"{CORE} {found.versions.get(CORE, 'of an unknown version')} in '{found.path}'"
    return f"{there} speaks worker protocol {found.protocol}, and {here} speaks {WORKER_PROTOCOL}"


def _lack(found: Interpreter, distribution: str) -> str:
    known = distribution in found.versions or distribution not in look_into("", [distribution]).versions
    return "" if known else f"the interpreter '{found.path}' has no {distribution}"


def _way_out(backend: str, interpreter: str, distribution: str) -> str:
    return (
        f"`uml plugins install {backend} --isolated` makes an environment that fits; for this one "
        f"`{interpreter} -m pip install --upgrade {CORE}=={__version__} {distribution}` does it"
    )
