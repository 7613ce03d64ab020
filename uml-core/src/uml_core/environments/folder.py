"""Where the environments lie that UML made: one for each backend, under ``engines`` in the data folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

from attrs import frozen

from uml_core.errors import BadRequestError

SAFE = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


@frozen
class EngineFolder:
    """The folder of one backend: the environment, under a name of its own, and the note that says which one it is.

    The note is written last, so that a half made environment is none.
    """

    path: Path

    @classmethod
    def of(cls, data_dir: Path, backend: str) -> EngineFolder:
        """The folder of *backend*, which need not be there.

        :raises BadRequestError: nothing could be called that
        """
        return cls(data_dir / "engines" / plugin_name(backend))

    @property
    def note(self) -> Path:
        return self.path / "environment.json"

    @property
    def current(self) -> Path | None:
        """The finished environment."""
        try:
            name = json.loads(self.note.read_text("utf-8"))["folder"]
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return self.path / name if isinstance(name, str) and SAFE.fullmatch(name) else None

    @property
    def python(self) -> Path | None:
        """The Python of the finished environment; it may have been deleted since."""
        current = self.current
        return None if current is None else current / "bin" / "python"


def plugin_name(said: str) -> str:
    """The name of a plugin, that of its distribution without ``uml-``.

    :raises BadRequestError: nothing could be called that
    """
    name = said.replace("_", "-").removeprefix("uml-")
    if not SAFE.fullmatch(name):
        raise BadRequestError(f"'{said}' is no name of a plugin; `uml plugins` lists those that are here")
    return name


def isolated_python(data_dir: Path, backend: str) -> Path | None:
    """The Python that `uml plugins install NAME --isolated` made for *backend*; None if it made none."""
    return EngineFolder(data_dir / "engines" / backend).python if SAFE.fullmatch(backend) else None
