"""Other environments, made of nothing but an interpreter and the files of a test."""

from __future__ import annotations

import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen


@frozen
class Other:
    """Another environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def write(self, name: str, text: str) -> None:
        (self.site / name).parent.mkdir(parents=True, exist_ok=True)
        (self.site / name).write_text(text)

    def has(self, distribution: str, version: str) -> Other:
        self.write(
            f"{distribution.replace('-', '_')}-{version}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
        )
        return self

    def has_core(self, version: str = "9.9", *, worker: str) -> Other:
        """A uml-core of which only the part that is asked about is there."""
        self.write("uml_core/__init__.py", "")
        self.write("uml_core/types/__init__.py", "")
        self.write("uml_core/types/worker.py", worker)
        return self.has("uml-core", version)


@pytest.fixture
def other(tmp_path: Path) -> Callable[[], Other]:
    def make() -> Other:
        venv.create(tmp_path / "other", with_pip=False, symlinks=True)
        return Other(tmp_path / "other")

    return make
