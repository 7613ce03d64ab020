import errno
import os

import pytest

from uml_core.storage import journal as journal_module
from uml_core.storage.journal import Journal, lines


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "data" / "journal")
    journal.open()
    yield journal
    journal.close(next_row=0, settled_before=0)


def segments(journal):
    return sorted(path.name for path in journal.folder.iterdir())


def kept(journal):
    return [line for path in sorted(journal.folder.iterdir()) for line in lines(path)]


def test_lines_are_on_disk_at_once_and_for_this_user_only(journal):
    journal.append(b"1\n")
    journal.append(b"2\n")
    assert kept(journal) == [b"1\n", b"2\n"]
    (segment,) = journal.folder.iterdir()
    assert segment.stat().st_mode & 0o777 == 0o600
    assert journal.folder.stat().st_mode & 0o777 == 0o700
    assert journal.folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_segment_goes_when_its_rows_are_settled_and_not_before(journal, monkeypatch):
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 10)
    assert not journal.wants_turn
    journal.append(b"row 0 ...\n")
    assert journal.wants_turn
    journal.turn(journal.fresh(), before=1)
    journal.append(b"row 1\n")
    assert not journal.wants_turn
    journal.forget(before=0)
    assert segments(journal) == ["00000001.jsonl", "00000002.jsonl"]
    journal.forget(before=1)
    assert segments(journal) == ["00000002.jsonl"]


def test_closing_keeps_only_what_is_not_settled(journal):
    journal.append(b"0\n")
    journal.turn(journal.fresh(), before=1)
    journal.append(b"1\n")
    journal.close(next_row=2, settled_before=1)
    assert kept(journal) == [b"1\n"]
    journal.append(b"2\n")
    assert kept(journal) == [b"1\n"]


def test_the_next_run_finds_what_is_left_over_in_order_and_begins_behind_it(journal):
    for number in range(11):
        journal.append(b"%d\n" % number)
        journal.turn(journal.fresh(), before=number + 1)
    (journal.folder / "notes.jsonl").touch()
    (journal.folder / "13.txt").touch()
    later = Journal(journal.folder)
    later.open()
    assert [path.name for path in later.left_over] == [f"{number:08}.jsonl" for number in range(1, 13)]
    assert "00000013.jsonl" in segments(later)
    later.replayed(later.left_over[0])
    assert "00000001.jsonl" not in segments(later)
    assert len(later.left_over) == 11
    later.close(next_row=0, settled_before=0)


def test_a_line_that_fits_only_in_part_does_not_spoil_the_next(journal, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    journal.append(b"torn line\n")
    monkeypatch.undo()
    assert journal.trouble.errno == errno.ENOSPC
    journal.append(b"whole\n")
    assert kept(journal) == [b"tor\n", b"whole\n"]


def test_trouble_ends_with_a_segment_that_can_be_written(journal, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal.append(b"1\n")
    assert journal.wants_turn
    assert journal.fresh() is None
    assert segments(journal) == ["00000001.jsonl"]
    monkeypatch.undo()
    journal.turn(journal.fresh(), before=1)
    assert journal.trouble is None
    assert not journal.wants_turn


def test_a_folder_that_cannot_be_made_is_trouble_and_no_more(tmp_path):
    (tmp_path / "data").touch()
    journal = Journal(tmp_path / "data" / "journal")
    journal.open()
    assert isinstance(journal.trouble, OSError)
    journal.append(b"1\n")
    (tmp_path / "data").unlink()
    journal.turn(journal.fresh(), before=1)
    journal.append(b"2\n")
    assert kept(journal) == [b"2\n"]
    journal.close(next_row=2, settled_before=2)
