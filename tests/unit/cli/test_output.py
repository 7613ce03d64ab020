import pytest

from uml_core.cli import output


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "?"),
        (0, "0 B"),
        (999, "999 B"),
        (93_000_000, "93 MB"),
        (4_700_000_000, "4.7 GB"),
        (12_300_000_000, "12 GB"),
    ],
)
def test_sizes_are_decimal(count, text):
    assert output.human_bytes(count) == text


@pytest.mark.parametrize(("count", "text"), [(134_515_008, "135M"), (7_240_000_000, "7.2B"), (500, "500"), (None, "?")])
def test_parameters(count, text):
    assert output.human_count(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (12.3, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (59.9, "60 s")]
)
def test_durations(seconds, text):
    assert output.human_seconds(seconds) == text


def test_a_model_cannot_steer_the_terminal():
    assert output.plain("a\x1b[31mb\x07\x9bc\td\ne\r") == "a[31mbc\td\ne"


@pytest.mark.parametrize(
    ("typed", "agreed"), [("\n", True), ("y\n", True), ("YES\n", True), ("n\n", False), ("no\n", False), ("", False)]
)
def test_enter_is_yes_and_the_end_of_input_is_no(monkeypatch, typed, agreed):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert output.ask("Fetch it?") is agreed


@pytest.mark.parametrize(("typed", "agreed"), [("\n", False), ("y\n", True), ("n\n", False), ("", False)])
def test_where_no_is_the_default_enter_is_no(monkeypatch, capsys, typed, agreed):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert output.ask("Remove it?", default=False) is agreed
    assert "Remove it? [y/N] " in capsys.readouterr().err


def test_words_and_commands_stay_whole_on_a_terminal():
    said = "there is no model 'x'; fetch one with `uml pull starter`, or look"
    lines = output.folded(said, 40).splitlines()
    assert lines == ["there is no model 'x'; fetch one with", "`uml pull starter`, or look"]
    assert output.folded("/bye    ends\n/help   helps", 20) == "/bye    ends\n/help   helps"
    assert output.folded("  an indent stays, and ` breaks", 20) == "  an indent stays,\nand ` breaks"
    assert output.folded("x" * 50 + " y", 20) == "x" * 50 + "\ny"
