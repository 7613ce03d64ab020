import pytest

from uml_core.client.frames import LIMIT_BYTES, Frames
from uml_core.errors import ContextLengthExceededError, InternalServerError, WorkerCrashedError

STREAM = b': ping\n\ndata: {"a": 1}\n\nevent: x\r\ndata: {"b": 2}\r\n\r\ndata: [DONE]\n\n'


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_chunks_come_whole_however_the_bytes_are_cut(size):
    frames = Frames()
    chunks = [chunk for at in range(0, len(STREAM), size) for chunk in frames.feed(STREAM[at : at + size])]
    frames.end()
    assert chunks == [{"a": 1}, {"b": 2}]


def test_a_stream_without_done_was_cut():
    frames = Frames()
    assert list(frames.feed(b'data: {"a": 1}\n\n')) == [{"a": 1}]
    with pytest.raises(WorkerCrashedError, match="cut off"):
        frames.end()


def test_an_error_frame_is_raised_as_its_class_after_what_came_before():
    error = b'data: {"error": {"message": "too long", "code": "context_length_exceeded"}}\n\n'
    chunks = Frames().feed(b'data: {"a": 1}\n\n' + error)
    assert next(chunks) == {"a": 1}
    with pytest.raises(ContextLengthExceededError, match="too long"):
        next(chunks)


@pytest.mark.parametrize("data", [b"data: {oops\n", b"data: 3\n", b"x" * (LIMIT_BYTES + 1)])
def test_what_is_no_event_stream_is_an_error(data):
    with pytest.raises(InternalServerError):
        list(Frames().feed(data))


def test_what_follows_done_is_ignored():
    frames = Frames()
    assert list(frames.feed(b'data: [DONE]\n\ndata: {"a": 1}\n\n')) == []
    frames.end()
