"""A measurement from its beginning to its end, by somebody who loads and answers at once."""

from __future__ import annotations

import pytest

from uml_core.bench.bench import Bench
from uml_core.bench.scope import Effort
from uml_core.errors import ConflictError, ModelLoadError
from uml_core.planning.learned import learned

PAIRS = ((1, None), (2, None), (2, False))


def ways(rig):
    return [(load.backend, load.threads, load.spin) for load in rig.loads]


def test_each_backend_is_loaded_anew_for_each_run(rig, scope):
    steps = []
    run = Bench(rig, scope(), steps.append)
    run.run()
    assert ways(rig) == [("a", 1, None), ("a", 1, None), ("b", 1, None), ("b", 1, None)]
    assert [tokens for _, tokens in rig.asked] == [8, 4, 1] * 4  # warming up, an answer, a prompt
    assert [(step.number, step.total) for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert steps[1].label == "a: run 2 of 2"
    first, second = run.profiles()
    assert (first.backend, first.engine, first.runs, first.busy, first.source) == ("a", "engine 1.0", 2, False, "bench")
    assert (first.model_id, first.model_bytes, first.machine, first.context_length) == ("tiny", 7, "here", 4096)
    assert first.measured == second.measured
    assert first.load_s is not None
    assert first.memory_bytes


def test_threads_are_learned_for_the_fastest_one(rig, scope):
    rig.token_s = lambda now: {("a", 1): 0.02, ("b", 1): 0.01}.get((now.backend, now.threads), 0.002)
    run = Bench(rig, scope(pairs=PAIRS, effort=Effort(runs=1, answer_tokens=4, prompt_tokens=20)))
    run.run()
    assert run.fastest == "b"
    assert ways(rig)[2:] == [("b", *pair) for pair in PAIRS]
    measured = {(one.threads, one.spin, one.busy) for one in run.profiles() if one.backend == "b"}
    assert measured == {(*pair, busy) for pair in PAIRS for busy in (False, True)}
    better = learned(run.profiles(), backend="b", default=(1, None))
    assert better is not None
    assert better.threads == 2
    assert better.speeds.busy


def test_or_for_each_of_them(rig, scope):
    run = Bench(rig, scope(pairs=PAIRS[:2], all_learn=True, effort=Effort(runs=1, answer_tokens=3)))
    run.run()
    assert [backend for backend, _, _ in ways(rig)] == ["a", "b", "a", "a", "b", "b"]
    assert run.scope.steps == 6


def test_a_backend_that_fails_is_named_and_the_others_go_on(rig, scope):
    def fail(request):
        if request.backend == "a":
            raise ModelLoadError("the engine fell over")

    rig.on_load = fail
    run = Bench(rig, scope())
    run.run()
    assert run.failures == {"a": "the engine fell over"}
    assert [profile.backend for profile in run.profiles()] == ["b"]


def test_a_pair_that_fails_takes_nothing_away(rig, scope):
    def fail(request):
        if request.threads == 2:
            raise ModelLoadError("too many threads")

    rig.on_load = fail
    run = Bench(rig, scope(backends=("a",), pairs=PAIRS[:2]))
    run.run()
    assert run.failures == {"a with 2 threads": "too many threads"}
    assert {(profile.threads, profile.busy) for profile in run.profiles()} == {(1, False), (1, True)}


def test_what_was_measured_until_an_interrupt_is_there(rig, scope):
    def interrupt(request):
        if request.backend == "b":
            raise KeyboardInterrupt

    rig.on_load = interrupt
    run = Bench(rig, scope())
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert [profile.backend for profile in run.profiles()] == ["a"]


def test_somebody_else_used_the_gateway_meanwhile(rig, scope):
    def disturb():
        if len(rig.asked) == 4:  # in the second run
            rig.unload()
            rig.on_load = lambda _: None
            rig.load(rig.loads[-1])

    rig.on_chat = disturb
    run = Bench(rig, scope())
    with pytest.raises(ConflictError, match="somebody else had another model loaded meanwhile"):
        run.run()
    assert [profile.runs for profile in run.profiles()] == [1]


def test_a_template_that_knows_no_system_message(rig, scope):
    rig.refuses_system = True
    run = Bench(rig, scope(backends=("a",)))
    run.run()
    assert all(len(messages) == 1 for messages, _ in rig.asked)
    assert run.profiles()
