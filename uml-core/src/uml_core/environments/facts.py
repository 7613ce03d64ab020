"""What a backend's workers run in, as ``uml plugins`` and ``uml doctor`` show it."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uml_core.environments.folder import isolated_python
from uml_core.errors import SettingsError
from uml_core.host.interpreter import is_own, look_into
from uml_core.plugins import PluginCard

EXTRA = re.compile(r"""\bextra\s*==\s*['"]engine['"]""")
NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", re.ASCII)


def environment(card: PluginCard, table: Mapping[str, Any], *, data_dir: Path) -> dict[str, Any]:
    """The ``interpreter``, its ``python`` and worker ``protocol``, and the ``versions`` of what lies there.

    ``own``: it is UML's own; ``isolated``: UML made it. ``problem`` is a sentence, if it can't be asked.

    :param table: the plugin's own table of ``uml.toml``, validated
    """
    interpreter = str(table.get("python") or "")
    made = isolated_python(data_dir, card.backend.name) if card.backend else None
    where = {"own": is_own(interpreter), "isolated": made is not None and interpreter == str(made)}
    try:
        found = look_into(interpreter, (distribution_of(card), *_engine(card)))
    except SettingsError as error:
        nothing: dict[str, Any] = {"python": None, "protocol": None, "versions": {}}
        return {"interpreter": interpreter, **where, **nothing, "problem": error.message}
    return {
        "interpreter": str(found.path),
        **where,
        "python": found.python,
        "protocol": found.protocol,
        "versions": found.versions,
        "problem": "",
    }


def differences(backend: str, environment: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each part of UML that another environment has in another version than this one.

    Workers may do with that: what they can't do without is the protocol.
    """
    if environment.get("own", True):
        return
    names = [name for name in environment["versions"] if name.startswith("uml-")]
    here = look_into("", names).versions
    for name, version in environment["versions"].items():
        if here.get(name, version) != version:
            yield (
                f"{backend}: {name} is {here[name]} here and {version} in '{environment['interpreter']}'; "
                f"`uml plugins install {backend} --isolated` makes an environment with the same"
            )


def distribution_of(card: PluginCard) -> str:
    """The name of the plugin's distribution, without its version."""
    return card.distribution.partition(" ")[0]


def engine_distributions(card: PluginCard) -> tuple[str, ...]:
    """What the extra ``engine`` of the plugin's distribution asks for."""
    try:
        requires = importlib.metadata.requires(distribution_of(card)) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):  # a plugin that is in no distribution
        return ()
    return tuple(dict.fromkeys(_names(requires)))


def _engine(card: PluginCard) -> tuple[str, ...]:
    """What the engine consists of: of a plugin without that extra what its card calls the engine."""
    named = NAME.fullmatch(card.backend.engine) if card.backend else None
    return engine_distributions(card) or ((named[0],) if named else ())


def _names(requires: list[str]) -> Iterator[str]:
    for line in requires:
        if EXTRA.search(line) and (name := NAME.match(line)):
            yield name[0]
