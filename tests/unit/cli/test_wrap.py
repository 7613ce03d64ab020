import textwrap

import pytest

from uml_core.cli.wrap import Wrapped

TEXT = "The sky is blue because of scattering, and it is red in the evening for the same reason."


def wrapped(*pieces, columns=20):
    written = []
    text = Wrapped(written.append, lambda: columns)
    for piece in pieces:
        text.feed(piece)
    text.end()
    return "".join(written)


@pytest.mark.parametrize("columns", [*range(11, 50), 200])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_words_stay_whole_however_the_pieces_fall(columns, size):
    lines = wrapped(*(TEXT[at : at + size] for at in range(0, len(TEXT), size)), columns=columns).splitlines()
    assert [line.rstrip() for line in lines] == textwrap.wrap(TEXT, columns)


def test_lines_of_the_text_stay():
    assert wrapped("a\n\n    b = 1\n\tc\n") == "a\n\n    b = 1\n\tc\n"


def test_a_word_longer_than_the_line_is_left_to_the_terminal():
    assert wrapped("ab " + "x" * 25 + " c", columns=20) == "ab \n" + "x" * 25 + " c"


def test_scripts_without_spaces_break_between_letters():
    assert wrapped("空は青い空は青い", columns=8) == "空は青い\n空は青い"


def test_nothing_is_written_before_a_word_is_whole_and_nothing_twice():
    written = []
    text = Wrapped(written.append, lambda: 20)
    text.feed("Hel")
    assert written == []
    text.feed("lo wor")
    assert written == ["Hello "]
    text.end()
    text.end()
    assert written == ["Hello ", "wor"]
