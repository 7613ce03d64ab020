import itertools
import random

import pytest

from uml_core.worker.text_stream import TextStream


def joined(stream, pieces):
    out = []
    for piece in pieces:
        out.append(stream.feed(piece))
        if stream.stopped:
            break
    return "".join([*out, stream.flush()])


def test_text_passes_at_once():
    stream = TextStream()
    assert [stream.feed("a"), stream.feed("b"), stream.flush()] == ["a", "b", ""]


def test_half_a_character_waits_for_its_other_half():
    stream = TextStream()
    assert [stream.feed(b"\xe4\xb8"), stream.feed(b"\x96!"), stream.flush()] == ["", "世!", ""]


def test_half_a_character_at_the_end_is_replaced():
    stream = TextStream()
    stream.feed(b"ok \xf0\x9f")
    assert stream.flush() == "\ufffd"


@pytest.mark.parametrize(
    ("pieces", "text", "stopped"),
    [
        (["ab", "END", "cd"], "ab", True),
        (["abE", "N", "Dcd"], "ab", True),
        (["abE", "N", "x"], "abENx", False),
        (["ENEND"], "EN", True),
        (["E", "E", "N", "D"], "E", True),
        (["EN"], "EN", False),
        (["x END y \n\n"], "x ", True),
        (["a\n", "\nb"], "a", True),
    ],
)
def test_stops(pieces, text, stopped):
    stream = TextStream(["END", "\n\n"])
    assert joined(stream, pieces) == text
    assert stream.stopped is stopped


def test_any_cut_gives_the_same_text():
    random.seed(1)
    for _ in range(2000):
        text = "".join(random.choices("abß世", k=12))
        stops = ["".join(random.choices("abß世", k=random.randint(1, 3))) for _ in range(2)]
        raw = text.encode()
        cuts = sorted({0, len(raw), *random.choices(range(len(raw)), k=5)})
        pieces = [raw[start:end] for start, end in itertools.pairwise(cuts)]
        whole = min((text.split(stop)[0] for stop in stops), key=len)
        got = joined(TextStream(stops), pieces)
        # a cut may end the search before an earlier-beginning, later-ending stop is complete; never after it
        assert text.startswith(got)
        assert len(whole) <= len(got)
        assert not any(stop in got for stop in stops)
