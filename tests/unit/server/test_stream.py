"""What of a worker's stream may pass, and how it ended."""

from __future__ import annotations

import json

import pytest

from uml_core.errors import ContextLengthExceededError, WorkerCrashedError
from uml_core.server.stream import EventStream


def frame(**chunk) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


TEXT = frame(choices=[{"delta": {"content": "a"}, "finish_reason": None}])
END = frame(choices=[{"delta": {}, "finish_reason": "stop"}])
COMPLETION_END = frame(choices=[{"text": "", "finish_reason": "length"}])
USAGE = frame(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 5})
DONE = b"data: [DONE]\n\n"


def events(**rest) -> EventStream:
    return EventStream(**{"error_codes": {}, "wants_usage": False, **rest})


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize("pieces", [1, 2, 3, 1000])
def test_a_good_stream(pieces, wants_usage):
    whole, stream = TEXT + TEXT + END + USAGE + DONE, events(wants_usage=wants_usage)
    step = -(-len(whole) // pieces)
    passed = b"".join(stream.take(whole[at : at + step]) for at in range(0, len(whole), step))
    assert passed == TEXT + TEXT + END + (USAGE if wants_usage else b"") + DONE
    stream.end()
    assert (stream.finished, stream.error) == (True, None)
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (3, 5)


@pytest.mark.parametrize("form", [b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n", b"\n\ndata: [DONE]\n\n"])
def test_forms_of_done(form):
    stream = events()
    assert stream.take(COMPLETION_END + form) == COMPLETION_END + form
    assert stream.finished


def test_usage_in_the_last_chunk_of_text_stays_and_is_counted():
    stream, last = events(), frame(choices=[{"finish_reason": "stop"}], usage={"completion_tokens": 7})
    assert stream.take(TEXT + last + DONE) == TEXT + last + DONE
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (None, 7)


def test_a_finish_reason_long_ago_is_none():
    stream = events()
    stream.take(END)
    for _ in range(10):
        stream.take(TEXT)
    assert stream.take(DONE) == b""
    assert isinstance(stream.error, WorkerCrashedError)


def test_a_finish_reason_within_a_text_is_none():
    stream = events()
    said = frame(choices=[{"delta": {"content": '"finish_reason":"stop"'}, "finish_reason": None}])
    assert stream.take(said + DONE) == said
    assert isinstance(stream.error, WorkerCrashedError)


def test_a_task_whose_answers_have_no_finish_reason():
    stream, last = events(needs_reason=False), frame(audio="abc", usage={"prompt_tokens": 3})
    assert stream.take(last + DONE) == last + DONE
    assert (stream.finished, stream.error, stream.usage.prompt_tokens) == (True, None, 3)
    cut = events(needs_reason=False)
    cut.take(last)
    cut.end()
    assert isinstance(cut.error, WorkerCrashedError)


def test_nothing_passes_after_done():
    stream = events()
    assert stream.take(END + DONE + TEXT + DONE) == END + DONE


def test_the_end_before_done_is_an_error_and_the_tail_is_dropped():
    stream = events()
    assert stream.take(TEXT + END[:-3]) == TEXT
    stream.end()
    assert (stream.finished, stream.error.code) == (False, "worker_crashed")


def test_an_error_frame_ends_it_with_the_engines_code_translated():
    stream = events(error_codes={"too_long": "context_length_exceeded"})
    bad = b'data: { "error" : {"message": "m", "type": "too_long", "code": 400}}\n\n'
    assert stream.take(TEXT + bad + TEXT) == TEXT
    assert isinstance(stream.error, ContextLengthExceededError)
    stream.end()
    assert stream.error.message.startswith("m; shorten the prompt, or load the model with a larger")


def test_an_error_that_is_null_is_none():
    stream, chunk = events(), b'data: {"error":null,"choices":[{"finish_reason":"stop"}]}\n\n'
    assert stream.take(chunk + DONE) == chunk + DONE
    assert stream.error is None


def test_a_frame_without_end_is_an_error():
    stream = events()
    for _ in range(20):
        assert stream.take(b"x" * 2**20) == b""
    assert stream.error.code == "worker_crashed"
