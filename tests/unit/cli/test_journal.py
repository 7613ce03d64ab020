import contextlib
import json
import time

import pytest

from uml_core.cli.journal import BLOCK_BYTES, Journal


@pytest.fixture
def journal(tmp_path):
    with contextlib.closing(Journal(tmp_path / "worker.log", source="worker")) as journal:
        yield journal


def write(path, *texts, mode="a"):
    with path.open(mode) as file:
        file.writelines(json.dumps({"at": "2026-01-02T03:04:05+00:00", "line": text}) + "\n" for text in texts)


def texts(entries):
    return [entry.text for entry in entries]


def test_nothing_there_yet(journal):
    assert journal.last(5) == []
    assert list(journal.new()) == []
    write(journal.path, "first")
    assert texts(journal.new()) == ["first"]


@pytest.mark.parametrize("count", [0, 1, 3, 10])
def test_the_last_lines(journal, count):
    write(journal.path, *"abcde")
    assert texts(journal.last(count)) == list("abcde")[max(0, 5 - count) :]
    write(journal.path, "f")
    assert texts(journal.new()) == ["f"]
    assert texts(journal.new()) == []


def test_a_large_file_is_read_from_behind(journal):
    write(journal.path, *(f"{number} {'x' * 1000}" for number in range(3 * BLOCK_BYTES // 1000)))
    assert [text.split()[0] for text in texts(journal.last(100))] == [str(number) for number in range(96, 196)]


def test_a_line_that_is_not_whole_yet_waits(journal):
    journal.path.write_text('{"line": "a"}\n{"line"')
    assert texts(journal.last(9)) == ["a"]
    with journal.path.open("a") as file:
        file.write(': "b"}\n')
    assert texts(journal.new()) == ["b"]


def test_rotation_loses_nothing(journal):
    write(journal.path, "a")
    journal.last(9)
    write(journal.path, "b")
    journal.path.rename(journal.path.with_suffix(".1.log"))
    write(journal.path, "c", "c")
    assert texts(journal.new()) == ["b", "c", "c"]
    write(journal.path, "d", mode="w")  # emptied, as some rotate
    assert texts(journal.new()) == ["d"]


def test_the_clock_is_the_one_on_the_wall(journal, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        write(journal.path, "a")
        assert [entry.clock for entry in journal.last(1)] == ["12:04:05"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_no_json_is_shown_as_it_is(journal):
    journal.path.write_text(
        'plain\n[1]\n{"event": "loaded", "at": "2026-01-02T03:04:05", "model": "m", "level": "info"}\n'
    )
    entries = journal.last(9)
    assert texts(entries) == ["plain", "[1]", "loaded model=m"]
    assert [entry.clock for entry in entries] == ["--:--:--", "--:--:--", "03:04:05"]
