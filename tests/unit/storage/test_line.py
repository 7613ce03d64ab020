import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import pytest

from uml_core.storage.line import decode, encode, stamp


class State(StrEnum):
    READY = "ready"


def back(row):
    return decode(encode("loads", "run", row)).values


def test_a_row_survives():
    row = {"id": "a", "seconds": 1.5, "rolled_back": False, "options": {"n_ctx": 8192}, "cause": None, "reason": "a\nb"}
    line = encode("loads", "run", row)
    assert line.endswith(b"]\n")
    assert line.count(b"\n") == 1
    assert decode(line) == ("loads", {"run_id": "run", **row})


def test_the_row_says_its_own_run():
    assert back({"id": "a", "run_id": "another"})["run_id"] == "another"


def test_what_json_does_not_know_becomes_text():
    two = timezone(timedelta(hours=2))
    row = {
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=two),
        "path": Path("/a/b"),
        "state": State.READY,
        "options": MappingProxyType({"a": (1, 2)}),
    }
    assert back(row) == {
        "run_id": "run",
        "at": "2026-01-02T01:04:05.000000+00:00",
        "path": "/a/b",
        "state": "ready",
        "options": {"a": [1, 2]},
    }


def test_text_that_utf8_cannot_say_costs_a_character():
    assert back({"model_id": "/models/caf\udce9"})["model_id"] == "/models/caf?"
    assert back({"model_id": "ä\u2028😀"})["model_id"] == "ä\u2028😀"


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b'["loads","run",{"id":"a"', b"\x00\xff\xfe", b"null", b"17", b'"abc"', b'["loads","run",["id"]]',
     b'[1,"run",{}]', b'["loads",{}]', b"[" * 100_000],
    ids=lambda line: line[:20].decode("latin-1"),
)  # fmt: skip
def test_what_is_no_row_is_none(line):
    assert decode(line) is None


@pytest.mark.parametrize("length", range(len(encode("loads", "run", {"id": "a", "n": 1})) - 1))
def test_no_beginning_of_a_line_is_taken_for_a_row(length):
    assert decode(encode("loads", "run", {"id": "a", "n": 1})[:length]) is None


def test_times_sort_like_text():
    times = [datetime(2026, 1, 1, 0, 0, 0, micros, tzinfo=UTC) for micros in (0, 1, 999_999)]
    assert sorted(map(stamp, times)) == [stamp(time) for time in times]
    assert stamp() > stamp(times[0])


def test_a_line_is_json_with_the_table_first():
    assert json.loads(encode("requests", "r", {"id": "ä"})) == ["requests", "r", {"id": "ä"}]
