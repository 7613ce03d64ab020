"""Which backend comes first: what was measured here goes before what its makers say."""

from __future__ import annotations

import pytest

from uml_core.planning.ranking import Ranking
from uml_core.types import Level, Match

NATIVE, SUPPORTED, FALLBACK = (Match(level, "it reads GGUF") for level in Level)


def ranked(matches, speeds, prefer=()):
    return [candidate.name for candidate in Ranking(prefer, speeds).rank(matches)]


@pytest.mark.parametrize(
    ("matches", "speeds", "order"),
    [
        ({"a": NATIVE, "b": SUPPORTED}, {"a": 61, "b": 83}, "ba"),
        ({"a": NATIVE, "b": SUPPORTED}, {"a": 61, "b": 63}, "ab"),
        ({"a": NATIVE, "b": SUPPORTED}, {"a": 61}, "ab"),
        ({"a": NATIVE, "b": SUPPORTED}, {"b": 83}, "ab"),
        ({"a": SUPPORTED, "b": SUPPORTED}, {"b": 83}, "ab"),
        ({"a": SUPPORTED, "b": SUPPORTED, "c": NATIVE}, {"a": 1, "b": 2}, "cba"),
        ({"a": SUPPORTED, "b": FALLBACK}, {"a": 1, "b": 200}, "ab"),
        ({"a": FALLBACK, "b": FALLBACK}, {"a": 1, "b": 200}, "ab"),
        ({"a": NATIVE, "b": NATIVE, "c": NATIVE}, {"a": 50, "b": 99, "c": 100}, "bca"),
        ({}, {}, ""),
    ],
)
def test_the_order(matches, speeds, order):
    assert ranked(matches, speeds) == list(order)


def test_the_setting_decides_between_equally_fast_ones():
    matches = {"a": NATIVE, "b": NATIVE}
    assert ranked(matches, {"a": 100, "b": 99}, prefer=["b"]) == ["b", "a"]
    assert ranked(matches, {"a": 100, "b": 90}, prefer=["b"]) == ["a", "b"]


def test_the_reasons_have_the_numbers():
    matches = {"a": NATIVE, "b": SUPPORTED, "c": FALLBACK}
    faster, other, fallback = Ranking((), {"a": 61.4, "b": 83.2}).rank(matches)
    assert faster.reason == "it was faster here: 83.2 against 61.4 tokens/s of 'a'; 'a' would come first unmeasured"
    assert other.reason == "could load it too (native: it reads GGUF; 61.4 tokens/s here)"
    assert fallback.reason == "could load it too (fallback: it reads GGUF)"
    assert Ranking((), {"a": 99, "b": 83}).rank(matches)[0].reason == (
        "it was faster here: 99 against 83 tokens/s of 'b'; it suits the model best (native)"
    )
    assert Ranking((), {"a": 82, "b": 83}).rank(matches)[0].reason == (
        "it was as fast here: 82 against 83 tokens/s of 'b'; it suits the model best (native)"
    )
