import contextlib
import json

import pytest

from uml_core.server import log_file
from uml_core.server.log_file import LogFile


@pytest.fixture
def kept(tmp_path):
    with contextlib.closing(LogFile(tmp_path / "logs" / "gateway.log")) as kept:
        yield kept


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_kept_as_a_line_and_handed_on(kept, tmp_path):
    event = {"event": "request", "status": 200, "path": object}
    assert kept(None, "info", event) is event
    assert lines(tmp_path / "logs" / "gateway.log") == [{"event": "request", "status": 200, "path": str(object)}]
    assert (tmp_path / "logs" / "gateway.log").stat().st_mode & 0o777 == 0o600


def test_a_traceback_is_text(kept, tmp_path):
    error = ValueError("oops")
    event = {"event": "failed", "exc_info": error}
    kept(None, "error", event)
    assert event == {"event": "failed", "exc_info": error}
    assert "ValueError: oops" in lines(tmp_path / "logs" / "gateway.log")[0]["exception"]


def test_a_large_file_makes_room(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(log_file, "FILE_BYTES", 50)
    for number in range(5):
        kept(None, "info", {"event": "a line of the log", "number": number})
    kept_numbers = [line["number"] for line in lines(tmp_path / "logs" / "gateway.1.log")]
    assert kept_numbers == [2, 3]
    assert [line["number"] for line in lines(tmp_path / "logs" / "gateway.log")] == [4]


def test_a_file_that_cannot_be_written_harms_nobody(tmp_path):
    (tmp_path / "logs").touch()
    event = {"event": "x"}
    assert LogFile(tmp_path / "logs" / "gateway.log")(None, "info", event) is event
