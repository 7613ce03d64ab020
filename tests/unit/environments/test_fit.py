"""Which other interpreter a worker may be launched in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from uml_core import __version__
from uml_core.environments.facts import differences, environment
from uml_core.environments.fit import misfit
from uml_core.errors import SettingsError
from uml_core.host.interpreter import look_into
from uml_core.plugins import PluginCard
from uml_core.python_settings import PythonSettings
from uml_core.server.cards import without_places
from uml_core.types import BackendInfo
from uml_core.types.worker import WORKER_PROTOCOL


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OwnServer(BaseModel):
    """The settings of a backend whose server needs nothing of UML."""

    python: Path | None = None


def card(settings=PythonSettings, distribution="pytest 1.0") -> PluginCard:
    backend = BackendInfo(name="unit", formats=(), tasks=(), options=Options, settings=settings, engine="attrs")
    return PluginCard(name="unit", distribution=distribution, status="loaded", backend=backend)


def fitting(protocol: int = WORKER_PROTOCOL) -> str:
    return f"WORKER_PROTOCOL = {protocol}\n"


def test_the_own_interpreter_fits_unasked():
    assert misfit(card(), {}) is None
    assert misfit(card(), {"python": Path(sys.executable)}) is None


def test_another_one_of_the_same_protocol_fits(other):
    python = other().has_core(worker=fitting()).has("pytest", "7").python
    assert misfit(card(), {"python": python}) is None


@pytest.mark.parametrize(("worker", "protocol"), [(fitting(WORKER_PROTOCOL + 1), WORKER_PROTOCOL + 1), ("", 0)])
def test_another_protocol_is_refused_and_both_sides_named(other, worker, protocol):
    python = other().has_core("9.9", worker=worker).has("pytest", "7").python
    unfit = misfit(card(), {"python": python})
    assert unfit is not None
    assert unfit.reason == (
        f"uml-core 9.9 in '{python}' speaks worker protocol {protocol}, "
        f"and UML {__version__} here speaks {WORKER_PROTOCOL}"
    )
    assert "`uml plugins install unit --isolated`" in unfit.hint
    assert f"{python} -m pip install --upgrade uml-core=={__version__}" in unfit.hint


def test_one_without_a_core(other):
    unfit = misfit(card(), {"python": other().python})
    assert unfit is not None
    assert "has no uml-core, which a worker of UML" in unfit.reason


def test_one_with_a_core_that_fails(other):
    python = other().has_core(worker="import gone_away\n").python
    unfit = misfit(card(), {"python": python})
    assert unfit is not None
    assert "a uml-core that can't be imported (ModuleNotFoundError: No module named 'gone_away')" in unfit.reason


def test_one_without_the_plugin(other):
    python = other().has_core(worker=fitting()).python
    unfit = misfit(card(), {"python": python})
    assert unfit is not None
    assert unfit.reason == f"the interpreter '{python}' has no pytest"
    assert misfit(card(distribution="unknown distribution"), {"python": python}) is None  # nor has this one it


def test_a_server_of_its_own_needs_only_an_interpreter(other, tmp_path):
    assert misfit(card(OwnServer), {"python": other().python}) is None
    unfit = misfit(card(OwnServer), {"python": tmp_path / "gone"})
    assert unfit is not None
    assert unfit.reason == f"the interpreter '{tmp_path}/gone' can't be run: No such file or directory"
    assert unfit.hint.startswith("`uml plugins install unit --isolated` makes one, or name a Python 3.11 or newer")


def test_it_is_asked_again_once_something_was_installed(other):
    environment = other().has_core(worker=fitting())
    assert look_into(environment.python, ["pytest"]).versions == {"uml-core": "9.9"}
    environment.has("pytest", "7")
    assert look_into(environment.python, ["pytest"]).versions == {"uml-core": "9.9", "pytest": "7"}


def test_what_gives_another_answer_is_no_python(tmp_path):
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\necho '{\"site\": []}'\n")
    path.chmod(0o755)
    with pytest.raises(SettingsError, match="gave no answer that a Python would give"):
        look_into(path)


def test_what_a_backend_runs_in(other, tmp_path):
    python = other().has_core("9.9", worker=fitting(7)).has("attrs", "1.2.3").python
    found = environment(card(), {"python": python}, data_dir=tmp_path)
    assert (found["interpreter"], found["own"], found["isolated"]) == (str(python), False, False)
    assert (found["protocol"], found["versions"]) == (7, {"uml-core": "9.9", "attrs": "1.2.3"})
    [difference] = differences("unit", found)
    assert difference.startswith(f"unit: uml-core is {__version__} here and 9.9 in '{python}'; `uml plugins install")


def test_what_a_backend_runs_in_that_has_no_other(tmp_path):
    found = environment(card(), {}, data_dir=tmp_path)
    assert (found["interpreter"], found["own"], found["protocol"]) == (sys.executable, True, WORKER_PROTOCOL)
    assert list(differences("unit", found)) == []


def test_what_a_backend_runs_in_that_is_gone(tmp_path):
    found = environment(card(), {"python": tmp_path / "gone"}, data_dir=tmp_path)
    assert "can't be run: No such file" in found["problem"]
    assert list(differences("unit", found)) == []


def test_the_folder_of_an_environment_means_its_python(other, tmp_path, monkeypatch):
    environment = other()
    assert PythonSettings(python=environment.folder).python == environment.python
    monkeypatch.setenv("HOME", str(tmp_path))
    assert PythonSettings(python="~/other").python == environment.python  # the link, not its base
    assert PythonSettings(python="~/gone/bin/python").python == tmp_path / "gone/bin/python"


@pytest.mark.parametrize("name", ["bin/python", "gone"])
def test_who_asks_over_http_learns_no_place(other, name):
    python = other().has_core("9.9", worker=fitting()).python.parents[1] / name
    told = environment(card(), {"python": python}, data_dir=Path("/data"))
    view = without_places({"name": "unit", "backend": {"name": "unit", "environment": told}})
    assert str(python) in str(told)
    assert str(python) not in str(view)
    assert view["backend"]["environment"]["own"] is False
    assert without_places({"name": "stores", "backend": None})["backend"] is None
