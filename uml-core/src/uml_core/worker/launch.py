"""What the supervisor has written down for this worker: where to listen, whom to answer, what to load."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from uml_core.types import ModelSource, Placement, Plan

BACKLOG = 128


@frozen(kw_only=True)
class LaunchFile:
    """``launch.json``. ``fd`` is an inherited listening socket; without one the worker binds *host* and *port*."""

    host: str
    port: int
    fd: int | None
    token: str = field(repr=False)
    plan: Plan

    @classmethod
    def from_environment(cls) -> LaunchFile:
        """Read the file that ``UML_LAUNCH_FILE`` names.

        :raises OSError: it can't be read
        :raises KeyError: the variable, or a field of the file, is not there
        """
        said = json.loads(Path(os.environ["UML_LAUNCH_FILE"]).read_text("utf-8"))
        return cls(
            host=said["host"], port=said["port"], fd=said.get("fd"), token=said["token"], plan=_plan(said["plan"])
        )

    def listen(self) -> socket.socket:
        """Take the inherited socket, or bind one.

        :raises OSError: the port is taken
        """
        if self.fd is None:
            return socket.create_server((self.host, self.port), backlog=BACKLOG)
        inherited = socket.socket(fileno=self.fd)
        inherited.set_inheritable(False)  # else a process that the engine starts would keep the port after us
        return inherited


def _plan(said: Mapping[str, Any]) -> Plan:
    model = said["model"]
    files = tuple(Path(file) for file in model["files"])
    source = {
        "size_bytes": sum(file.stat().st_size for file in files if file.exists()),
        **_known(ModelSource, model),
        "path": Path(model["path"]),
        "files": files,
    }
    own = {"tasks": tuple(said["tasks"]), "model": ModelSource(**source), "placement": _placement(said)}
    return Plan(**{**_known(Plan, said), **own})


def _placement(said: Mapping[str, Any]) -> Placement:
    known: dict[str, Any] = _known(Placement, said.get("placement") or {})
    known |= {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return Placement(**known)


def _known(kind: type, said: Mapping[str, Any]) -> dict[str, Any]:
    names = {attribute.name for attribute in fields(kind)}
    return {name: value for name, value in said.items() if name in names and value is not None}
