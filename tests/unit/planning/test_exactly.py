"""Plans that were asked for alike, and plans that were not."""

from __future__ import annotations

from attrs import evolve

from uml_core.planning.exactly import asked_alike
from uml_core.types import LoadRequest

MIDDLE = LoadRequest(model="middle-Q4_K_M")


def test_a_plan_that_only_the_memory_of_the_moment_changed_was_asked_for_alike(machine):
    machine.add("middle", machine.sketches["8B"], "Q4_K_M")
    machine.host("desktop-24gb")
    asked = evolve(MIDDLE, parallel=1)
    loaded = machine.planner().draft(asked)
    machine.host("laptop-gpu-8gb")
    again = machine.planner().draft(evolve(asked))
    again = evolve(again, threads=loaded.threads)
    assert again.context_length < loaded.context_length
    assert not again.loads_same(loaded)
    assert asked_alike(loaded, again)


def test_a_plan_of_another_request_or_another_file_was_not(machine):
    machine.add("middle", machine.sketches["8B"], "Q4_K_M")
    machine.host("desktop-24gb")
    planner = machine.planner()
    loaded = planner.draft(MIDDLE)
    assert asked_alike(loaded, planner.draft(MIDDLE))
    for said in ({"context_length": 4096}, {"parallel": 1}, {"device": "cpu"}, {"cache_type": "q8_0"}):
        assert not asked_alike(loaded, planner.draft(evolve(MIDDLE, **said))), said
    assert not asked_alike(loaded, evolve(loaded, threads=loaded.threads + 1))
    replaced = evolve(loaded, model=evolve(loaded.model, size_bytes=loaded.model.size_bytes + 1))
    assert not asked_alike(loaded, replaced)
