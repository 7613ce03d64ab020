"""The table ``[plugins.<name>]`` of a backend whose worker may run in another Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _program(path: Path) -> Path:
    """The Python itself, if *path* is the folder of its environment; links stay, for they are what makes one."""
    path = path.expanduser().absolute()
    return path / "bin" / "python" if path.is_dir() else path


Interpreter = Annotated[Path, AfterValidator(_program)]
"""A Python, or the folder of a virtual environment."""


class PythonSettings(BaseModel):
    """What a backend inherits from whose worker calls :func:`uml_core.worker.serve`.

    Before a load UML asks such an interpreter whether its uml-core speaks the same protocol. Without the setting it is
    the environment that ``uml plugins install NAME --isolated`` made, if it did, else UML's own Python.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: Interpreter | None = Field(
        None,
        description="the Python or virtual environment with the engine and this plugin, if not UML's own",
    )
