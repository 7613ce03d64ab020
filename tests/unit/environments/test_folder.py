"""Which environment is the finished one, and which Python a backend gets by that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from uml_core.environments.folder import EngineFolder, isolated_python, plugin_name
from uml_core.errors import BadRequestError
from uml_core.planning.options import plugin_settings
from uml_core.python_settings import PythonSettings
from uml_core.settings import Settings
from uml_core.types import BackendInfo


@pytest.fixture
def finished(tmp_path):
    folder = EngineFolder.of(tmp_path, "unit")
    (folder.path / "env-1" / "bin").mkdir(parents=True)
    folder.note.write_text(json.dumps({"folder": "env-1"}))
    return folder


def test_the_note_makes_it_one(tmp_path, finished):
    assert isolated_python(tmp_path, "unit") == tmp_path / "engines/unit/env-1/bin/python"
    finished.note.unlink()
    assert isolated_python(tmp_path, "unit") is None


@pytest.mark.parametrize("note", ["", "{", "[]", "{}", '{"folder": 1}', '{"folder": "../../env"}', '{"folder": ".."}'])
def test_a_note_that_names_none(tmp_path, finished, note):
    finished.note.write_text(note)
    assert isolated_python(tmp_path, "unit") is None


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "-r", "x y", "uml-", "a\nb"])
def test_what_no_plugin_is_called(tmp_path, name):
    with pytest.raises(BadRequestError, match="is no name of a plugin"):
        plugin_name(name)
    assert isolated_python(tmp_path, name) is None


def test_a_plugin_by_its_distribution():
    assert {plugin_name(said) for said in ("unit", "uml-unit", "uml_unit")} == {"unit"}


class Binary(BaseModel):
    binary: Path | None = None


def settings_of(tmp_path, kind, **table):
    card = BackendInfo(name="unit", formats=(), tasks=(), options=BaseModel, settings=kind)
    return plugin_settings(card, Settings.model_validate({"data_dir": tmp_path, "plugins": {"unit": table}}))


def test_a_backend_gets_it_unless_its_table_names_another(tmp_path, finished):
    assert settings_of(tmp_path, PythonSettings) == {"python": finished.python}
    assert settings_of(tmp_path, PythonSettings, python="/usr/bin/python3") == {"python": Path("/usr/bin/python3")}
    assert settings_of(tmp_path, Binary) == {"binary": None}


def test_a_backend_without_one_has_the_own_python(tmp_path):
    assert settings_of(tmp_path, PythonSettings) == {"python": None}
