from __future__ import annotations

import json

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.json_file import NotJSON, parse_json, read_object


@pytest.mark.parametrize(
    "value", [None, True, 3, -2.5, 'a\u00e9\u0000"[{', [], {}, [[1], {"a": [{}]}], {"a": {"b": "]"}}]
)
def test_what_json_is(value):
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_many_brackets_that_are_not_deep():
    value = [{"a": [number, "[[["]} for number in range(1000)]
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("depth", "read"), [(64, True), (65, False), (10_000, False), (10**6, False), (-65, False), (-64, True)]
)
def test_depth(depth, read):
    data = b"[" * depth + b"]" * depth
    if depth < 0:  # with something beside each level, and that is deep too
        data = b"1"
        for level in range(-depth):
            data = b"[" + (b"[[[]]]," if level > 4 else b"") + data + b"]"
    if read:
        assert parse_json(data)
    else:
        with pytest.raises(NotJSON, match="nested deeper than 64 levels"):
            parse_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b'{"a"}',
        b"\xff",
        b"1 2",
        b'"',
        b'"\\',
        b"[" * 100 + b"}" * 100,
        b"9" * 5000,
        "{}".encode("utf-16"),
    ],
)
def test_what_json_is_not(data):
    with pytest.raises(NotJSON):
        parse_json(data)


def test_the_same_key_twice_is_one_key_only_if_it_says_the_same():
    assert parse_json(b'{"a": 1, "a": 1}') == {"a": 1}
    with pytest.raises(NotJSON, match="the key 'a' is there twice, with different values"):
        parse_json(b'{"a": 1, "a": 2}')


def test_python_s_constants_are_numbers_where_they_may_be():
    assert parse_json(b'{"time_step_limit": [0.0, Infinity]}')["time_step_limit"][1] == float("inf")
    with pytest.raises(NotJSON, match="NaN is no JSON number"):
        parse_json(b"[NaN]", constants=False)


@pytest.mark.parametrize("data", [b"[" + b"1," * 10**6 + b"1]", b"[" + b"[]," * 10**6 + b"1]"])
def test_a_million_entries_are_within_bounds_and_a_few_million_are_not(data):
    assert len(parse_json(data, most_marks=4 * 10**6)) == 10**6 + 1
    with pytest.raises(NotJSON, match="more than 1000000 values"):
        parse_json(data, most_marks=10**6)


def test_escaped_quotes_without_an_end_take_no_time():
    with pytest.raises(NotJSON):
        parse_json(b'{"a":[' + b"[]," * 100 + b'"' + b'\\"' * 10**6)


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_an_object_is_needed(tmp_path, text):
    (path := tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidModelFileError, match=r"'config\.json' holds no JSON object"):
        read_object(path)


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    (path := tmp_path / "config.json").write_text('{"a": 1}')
    with pytest.raises(InvalidModelFileError, match="has 8 bytes, but such a file may have 7"):
        read_object(path, most_bytes=7)
