import pytest

from uml_core.cli.events import told
from uml_core.client import Event


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("worker", {"model": "m", "previous": None, "state": "launching", "reason": ""}, "m: launching"),
        (
            "worker",
            {"model": "m", "previous": "ready", "state": "stopping", "reason": "unload"},
            "m: ready → stopping (unload)",
        ),
        ("queue", {"length": 0}, "nobody waits"),
        ("queue", {"length": 1}, "1 request waiting"),
        ("queue", {"length": 3}, "3 requests waiting"),
        ("lagged", {"missed": 4}, "4 events came faster than they could be read, and are left out"),
        ("health", {"model": "m", "state": "hung", "reason": "no token for 60 s"}, "m: hung (no token for 60 s)"),
        ("leak", {"model": "m", "sentence": "it grows by 1 MB a request"}, "m: it grows by 1 MB a request"),
        ("storage", {"degraded": "the disk is full"}, "degraded=the disk is full"),
    ],
)
def test_a_line_for_each(kind, data, line):
    assert told(Event(kind=kind, data=data)) == line


def test_a_line_for_a_job(job_view):
    lines = [
        told(Event(kind="job", data=job))
        for job in (
            job_view(progress={"stage": "probing"}),
            job_view("committed"),
            job_view("rolled_back", cause={"code": "worker_killed", "message": "it was killed"}),
        )
    ]
    assert lines == [
        "load of new: probing new with one token",
        "load of new: done after 1.2 s",
        "load of new: old is back: worker_killed after 1.2 s; it was killed",
    ]


def test_a_line_for_a_scan(job_view):
    def line(state, **said):
        job = job_view(state, kind="scan", model=None, previous=None, switched=False, **said)
        return told(Event(kind="scan", data=job))

    report = {"models": 2, "read": 2, "unchanged": 0, "unreadable": 0, "incomplete": 0, "duplicates": 0, "gone": 0}
    assert line("scanning", progress={"stage": "listing", "done": 0}) == "looking for models"
    assert line("scanning", progress={"stage": "reading", "done": 1}) == "reading the headers of models"
    assert line("committed", report={**report, "seconds": 0.1}) == "2 models: 2 read; 0.1 s"
    assert line("failed", report=None, cause={"code": "internal_error"}) == (
        "the scan of the models: failed: internal_error"
    )
