"""How ``uml plugins`` speaks of what a backend's workers run in."""

from __future__ import annotations

import pytest

from uml_core.cli.plugins_environment import engine, place
from uml_core.errors import BadRequestError

OTHER = {
    "interpreter": "/venv/bin/python",
    "own": False,
    "isolated": False,
    "python": "3.12.4",
    "protocol": 1,
    "versions": {"uml-core": "0.1.0", "uml-unit": "0.1.0", "torch": "2.13.0", "numpy": "2.4"},
    "problem": "",
}


def card(**environment):
    return {"distribution": "uml-unit 0.1.0", "backend": {"engine": "torch", "environment": environment}}


def test_the_engine_is_what_is_there_of_it():
    assert engine(card(**OTHER)) == "engine torch 2.13.0, numpy 2.4"
    assert engine(card(**OTHER | {"versions": {"uml-unit": "0.1.0"}})) == "engine torch"
    assert engine({"distribution": "d", "backend": {"engine": ""}}) == ""


def test_the_place_is_told_unless_it_is_the_own():
    assert place({}) == place(OTHER | {"own": True}) == ""
    assert place(OTHER) == "in another Python, /venv/bin/python (3.12.4, uml-core 0.1.0 with worker protocol 1)"
    assert place(OTHER | {"isolated": True}).startswith("in its own environment, /venv/bin/python (")
    assert place(OTHER | {"protocol": 0}).endswith("with worker protocol 0)")
    assert place(OTHER | {"versions": {}, "protocol": None}).endswith("(3.12.4, no uml-core)")
    assert place({"problem": "it can't be run"}) == "it can't be run"


def test_the_help_names_the_commands(machine):
    said = machine.uml("plugins", "--help").output
    assert "install" in said
    assert "remove" in said


def test_an_environment_of_a_python_without_isolation(machine):
    with pytest.raises(BadRequestError, match="add --isolated"):
        machine.uml("plugins", "install", "unit", "--python", "/usr/bin/python3")
