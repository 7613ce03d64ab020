import io

import pytest
from rich.console import Console

from uml_core.cli.bar import Bar, fitting
from uml_core.cli.stage import Stage, stage_of

GB = 10**9
LOADING = {"stage": "loading", "part": 0.31, "source": "memory", "bytes_done": 1.46 * GB, "bytes_total": 4.7 * GB}


@pytest.mark.parametrize(
    ("state", "stage", "label"),
    [
        ("checking", "checking", "checking new"),
        ("evicting", "draining", "draining old"),
        ("evicting", "unloading", "unloading old"),
        ("evicting", "verifying", "verifying that old is gone"),
        ("starting", "waiting", "waiting a moment before new is started again"),
        ("starting", "launching", "launching new"),
        ("starting", "loading", "loading new"),
        ("starting", "probing", "probing new with one token"),
        ("starting", "polishing", "polishing new"),
        ("rolling_back", "loading", "rolling back: loading old"),
        ("rolling_back", "unloading", "rolling back: unloading new"),
        ("rolling_back", "verifying", "rolling back: verifying that new is gone"),
    ],
)
def test_stages_in_words(job_view, state, stage, label):
    told = stage_of(job_view(state, progress={"stage": stage}))
    assert told is not None
    assert told.label == label


def test_what_is_counted_is_said(job_view):
    draining = job_view("evicting", progress={"stage": "draining"})
    assert [stage_of(draining, leases=count).label for count in (1, 2)] == [
        "draining 1 request of old",
        "draining 2 requests of old",
    ]
    assert stage_of(job_view("queued", position=2)).label == "waiting to load new; 2 before it"


def test_what_has_ended_has_no_stage(job_view):
    for state in ("committed", "rolled_back", "failed", "cancelled"):
        assert stage_of(job_view(state)) is None
    assert stage_of(None) is None


def test_an_unload_names_what_is_unloaded(job_view):
    unload = job_view("evicting", kind="unload", model=None, progress={"stage": "unloading"})
    assert stage_of(unload).label == "unloading old"


def test_the_facts_run_on(job_view):
    stage = stage_of(job_view(progress={**LOADING, "elapsed_s": 4.0, "eta_s": 7.0}))
    assert stage.facts() == ["31% by its memory", "4.0 s", "7 s left", "1.5 of 4.7 GB"]
    assert stage.facts(6.4) == ["31% by its memory", "10 s", "1 s left", "1.5 of 4.7 GB"]
    assert "left" not in "".join(stage.facts(8.0))
    assert Stage(label="x", bytes_done=11, bytes_total=71).facts() == ["11 of 71 B"]
    assert Stage(label="x", bytes_done=7 * 10**8, bytes_total=GB).facts() == ["700 MB of 1.0 GB"]
    assert Stage(label="x", eta_s=307).facts() == ["5 min 7 s left"]


def shown(stage, columns):
    out = io.StringIO()
    Console(file=out, width=columns, force_terminal=True, color_system=None, legacy_windows=False).print(Bar(stage))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("columns", [30, 44, 80, 200])
def test_a_bar_is_two_lines_however_narrow_the_terminal(job_view, columns):
    stage = stage_of(job_view(model="a" * 60, progress={**LOADING, "elapsed_s": 4.0, "eta_s": 7.0}))
    lines = shown(stage, columns)
    assert len(lines) == 2
    assert max(map(len, lines)) <= columns
    assert "loading aaa" in lines[0]
    assert "31% by" in lines[1]
    assert ("1.5 of 4.7 GB" in lines[1]) is (columns >= 80)


def test_a_model_cannot_steer_the_bar():
    assert "a[31mb" in shown(Stage(label="loading a\x1b[31mb"), 40)[0]


def test_the_first_facts_are_kept():
    assert fitting(["one", "two", "three"], 9) == "one · two"
    assert fitting(["one"], 2) == ""
