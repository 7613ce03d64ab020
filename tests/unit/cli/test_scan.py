import re

import pytest

from uml_core.cli import reading as reading_module
from uml_core.cli.reading import Reading
from uml_core.cli.scan import found

REPORT = {
    "models": 0,
    "read": 0,
    "unchanged": 0,
    "unreadable": 0,
    "incomplete": 0,
    "duplicates": 0,
    "gone": 0,
    "problems": [],
    "seconds": 0.42,
    "cancelled": False,
}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "there is no model on this machine; 0.4 s"),
        ({"models": 1, "read": 1}, "1 model: 1 read; 0.4 s"),
        (
            {"models": 2000, "read": 3, "unchanged": 1997, "duplicates": 1, "gone": 2, "seconds": 75},
            "2,000 models: 3 read, 1,997 unchanged; 2 gone, 1 duplicate; 1 min 15 s",
        ),
        (
            {"models": 5, "unchanged": 5, "unreadable": 1, "incomplete": 2, "duplicates": 2},
            "5 models: 5 unchanged; 1 unreadable, 2 incomplete, 2 duplicates; 0.4 s",
        ),
    ],
)
def test_the_sentence(said, sentence):
    assert found({**REPORT, **said}) == sentence


def test_how_far_it_is(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(reading_module.time, "monotonic", lambda: clock[0])
    reading = Reading()
    assert reading.stage() is None
    reading.take({"id": "job_1", "progress": {"done": 0, "total": None, "model": None}})
    assert reading.stage() is None
    reading.take({"id": "job_1", "progress": {"done": 0, "total": 2000, "model": "a"}})
    assert reading.stage().facts() == ["0 of 2,000", "0.0 s"]
    clock[0] += 2
    reading.take({"id": "job_1", "progress": {"done": 500, "total": 2000, "model": "org/b"}})
    stage = reading.stage()
    assert (stage.label, stage.part, reading.job_id) == ("reading org/b", 0.25, "job_1")
    assert stage.facts() == ["500 of 2,000", "250 models/s", "2.0 s"]


# The command


def test_a_scan_says_what_it_found(stores):
    (stores.models / "broken.gguf").write_bytes(b"GGUF\3\0\0\0")
    assert re.fullmatch(r"5 models: 5 read; 1 unreadable; \d\.\d s\n", stores.uml("scan").stderr)
    (stores.models / "mine-Q4_0.gguf").unlink()
    report = stores.json("scan")
    assert {name: report[name] for name in ("models", "read", "unchanged", "unreadable", "gone", "problems")} == {
        "models": 4, "read": 0, "unchanged": 4, "unreadable": 1, "gone": 1, "problems": [],
    }  # fmt: skip


def test_an_interrupted_scan_keeps_what_it_has_read(stores, monkeypatch):
    from uml_core.registry import registry

    read, seen = registry.inspect, []

    def interrupted(path, formats):
        seen.append(path)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read(path, formats)

    monkeypatch.setattr(registry, "inspect", interrupted)
    result = stores.invoke("scan")
    assert result.exit_code == 130
    assert "the scan was cancelled after 2 of 4 models; what was read is kept" in result.stderr
    report = stores.json("scan")
    assert (report["read"], report["unchanged"]) == (2, 2)
