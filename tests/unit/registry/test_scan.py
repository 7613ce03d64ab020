"""A scan reads what is new or has changed, and says what it found."""

from __future__ import annotations

import os

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.plugin import uml_model_formats
from uml_core.registry.scan import ScanReport
from uml_core.testing.gguf import write_gguf


@pytest.fixture
def scanned(registry, put):
    """A registry over three models, one of which is broken, that has been scanned once."""
    put("a.gguf"), put("b.gguf"), put("broken.gguf").write_bytes(b"GGUF")
    found = registry(formats=tuple(uml_model_formats()))
    return found, found.scan()


def counts(report: ScanReport):
    return {
        name: value
        for name in ("models", "read", "unchanged", "unreadable", "incomplete", "duplicates", "gone")
        if (value := getattr(report, name))
    }


def test_the_first_reads_all_the_next_nothing(scanned):
    found, report = scanned
    assert counts(report) == {"models": 3, "read": 3, "unreadable": 1}
    assert counts(found.scan()) == {"models": 3, "unchanged": 3, "unreadable": 1}


def test_what_changed_came_or_went(scanned, put, folder):
    found, _ = scanned
    write_gguf(folder / "a.gguf", {"general.architecture": "other"}, tensors={"w": (64,)})
    put("new.gguf"), (folder / "b.gguf").unlink()
    assert counts(found.scan()) == {"models": 3, "read": 2, "unchanged": 1, "unreadable": 1, "gone": 1}
    assert found.card(found.find("a")).architecture == "other"
    assert counts(found.scan()) == {"models": 3, "unchanged": 3, "unreadable": 1}


def test_another_file_of_the_same_size_and_time_is_another_file(scanned, folder, tmp_path):
    found, _ = scanned
    before = (folder / "a.gguf").stat()
    other = write_gguf(tmp_path / "x", {"general.architecture": "lamma"}, tensors={"w": (32,)})
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(folder / "a.gguf")
    assert (folder / "a.gguf").stat().st_size == before.st_size
    assert found.card(found.find("a")).architecture == "lamma"


def test_progress_is_told_for_each_and_at_the_end(scanned):
    told = []
    scanned[0].scan(told.append)
    assert [(progress.done, progress.total, progress.model) for progress in told] == [
        (0, 3, "a"), (1, 3, "b"), (2, 3, "broken"), (3, 3, None),
    ]  # fmt: skip


def test_one_that_is_stopped_keeps_what_it_read(registry, put):
    for name in "abc":
        put(f"{name}.gguf")
    found, told = registry(formats=tuple(uml_model_formats())), []
    report = found.scan(told.append, stopped=lambda: len(told) == 2)
    assert report.cancelled
    assert counts(report) == {"models": 3, "read": 2}
    assert counts(found.scan()) == {"models": 3, "read": 1, "unchanged": 2}


def test_why_a_file_cannot_be_read_is_remembered_as_long_as_it_is_so(scanned, folder, put):
    found, _ = scanned
    broken = found.find("broken")
    assert isinstance(found.known(broken), InvalidModelFileError)
    with pytest.raises(InvalidModelFileError, match=r"'broken\.gguf' "):
        found.card(broken)
    put("broken.gguf")
    assert found.card(broken).architecture == "llama"


def test_a_file_that_came_to_be_readable_is_read(registry, put):
    path, privileged = put("a.gguf"), os.geteuid() == 0
    found = registry(formats=tuple(uml_model_formats()))
    path.chmod(0)
    model = found.find("a")
    if privileged:
        os.seteuid(65534)
    try:
        with pytest.raises(InvalidModelFileError):
            found.card(model)
    finally:
        if privileged:
            os.seteuid(0)
    path.chmod(0o600)
    assert found.card(model).architecture == "llama"


def test_a_part_that_was_missing_and_came(registry, folder):
    def part(number):
        facts = {"split.no": number - 1, "split.count": 2, "split.tensors.count": 2}
        facts |= {"general.architecture": "llama"} if number == 1 else {}
        write_gguf(folder / f"s-0000{number}-of-00002.gguf", facts, tensors={f"w{number}": (32,)},
                   types={"split.no": "uint16", "split.count": "uint16"})  # fmt: skip

    part(1)
    found = registry(formats=tuple(uml_model_formats()))
    (model,) = found.models()
    assert found.card(model).missing == ("s-00002-of-00002.gguf",)
    assert counts(found.scan()) == {"models": 1, "unchanged": 1, "incomplete": 1}
    part(2)
    (model,) = found.models()
    assert found.card(model).complete
    assert counts(found.scan()) == {"models": 1, "unchanged": 1}
