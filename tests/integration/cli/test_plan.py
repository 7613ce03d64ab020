"""Plans on the command line: the same with a gateway and without one, and told as a load begins."""

import json
import re

import pytest

MARGIN = {"UML_MEMORY__MARGIN_MB": str(2**40)}
"""A margin that leaves no memory for anything."""


def plan_of(machine, *arguments, **environment):
    return json.loads(machine.uml("plan", *arguments, "--json", **environment).stdout)


@pytest.fixture(params=[False, True], ids=["alone", "with a gateway"])
def place(request, machine):
    """A machine with two models, with a gateway and without one."""
    machine.model("tiny")
    machine.model("other", load_s=0.5)
    if request.param:
        machine.serve()
    return machine


def test_a_plan_is_the_same_here_and_in_a_gateway(place):
    shown = place.uml("plan", "tiny", "--ctx", "300", "--option", "load_s=0.1")
    assert shown.returncode == 0, shown.stderr
    head, facts, *_, way = shown.stdout.splitlines()
    assert re.fullmatch(r"tiny fits: \d+ MB.*, (by its header|as the engine reckons)", head)
    assert facts == "with fake, 300 tokens of context"
    assert way == "`uml load tiny --ctx 300 --option load_s=0.1` loads it so"
    plan = plan_of(place, "tiny", "--ctx", "300")
    assert (plan["fits"], plan["context_length"], plan["load"]["context_length"]) == (True, 300, 300)
    dry = json.loads(place.uml("load", "tiny", "--ctx", "300", "--dry-run", "--json").stdout)
    assert {**dry, "memory": None} == {**plan, "memory": None}
    assert place.workers() == []


def test_what_is_wrong_is_told(place):
    unknown = place.uml("plan", "nonesuch")
    assert unknown.returncode == 3
    assert unknown.stderr.startswith("error: ")
    assert "'nonesuch'" in unknown.stderr
    assert place.uml("plan", "tiny", "--backend", "nonesuch").returncode == 2
    assert place.uml("plan", "tiny", "--option", "what").returncode == 2
    assert place.uml("plan", "tiny", "--option", "nonesuch=1").returncode == 2


def test_what_does_not_fit_ends_with_4_and_can_be_forced(machine):
    machine.model("tiny")
    tight = machine.uml("plan", "tiny", **MARGIN)
    assert tight.returncode == 4
    assert tight.stdout.startswith("tiny doesn't fit: ")
    assert " too much" in tight.stdout
    refused = machine.uml("run", "tiny", "hello", **MARGIN)
    assert refused.returncode == 4
    assert "error: 'tiny' " in refused.stderr
    forced = machine.uml("run", "tiny", "hello", "--force", **MARGIN)
    assert forced.returncode == 0, forced.stderr
    assert forced.stdout


def test_a_file_is_planned_where_no_gateway_runs(machine):
    path = machine.model("tiny").rename(machine.folder / "elsewhere.gguf")
    plan = plan_of(machine, str(path))
    assert plan["fits"]
    assert plan["load"]["model"] == str(path)


def test_a_terminal_is_told_the_plan_as_a_load_begins(machine):
    machine.model("tiny")
    machine.model("other", load_s=1.0)
    alone = machine.terminal("run", "other", "hello")
    alone.expect("plan: ")
    alone.expect(" tokens")
    assert alone.end() == 0
    machine.serve()
    terminal = machine.terminal("load", "other")
    terminal.expect("plan: ")
    terminal.expect("loaded other with fake")
    assert terminal.end() == 0
    assert terminal.seen.count("plan: ") == 1
    assert "plan: " not in machine.uml("load", "tiny").stderr
    status = machine.uml("ps").stdout
    assert "PLANNED" in status


@pytest.mark.parametrize("columns", [80, 120])
def test_the_picture_fits_its_terminal(machine, columns):
    machine.model("tiny")
    terminal = machine.terminal("plan", "tiny", columns=columns)
    terminal.expect("loads it so")
    assert terminal.end() == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.seen).replace("\r", "").splitlines()
    assert "█" in terminal.seen
    assert max(map(len, lines)) <= columns
