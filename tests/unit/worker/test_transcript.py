"""What is sent of each piece, and how an answer ends."""

import pytest

from uml_core.worker import CompletionRequest, Delta, TokenLogprob, ToolCallDelta
from uml_core.worker.transcript import Finish, Transcript

CALL = (ToolCallDelta(0, "call_1", "look"),)
LOGPROB = (TokenLogprob("a", b"a", -0.5),)


def ended(transcript, *pieces):
    for piece in pieces:
        transcript.add(piece)
    return transcript.finish()


def test_what_says_no_more_than_its_text_is_text():
    transcript = Transcript()
    assert [transcript.add(piece) for piece in ("a", b"b", Delta("c"), Delta(b"\xc3"), b"\xa4", Delta())] == [
        "a",
        "b",
        "c",
        "",
        "ä",
        "",
    ]


@pytest.mark.parametrize(
    "more", [{"reasoning": "hm"}, {"tool_calls": CALL}, {"logprobs": LOGPROB}], ids=lambda more: next(iter(more))
)
def test_of_a_delta_that_says_more_only_the_contents_are_sent(more):
    assert Transcript().add(Delta(b"x", prompt_tokens=3, completion_tokens=2, **more)) == Delta("x", **more)


def test_a_token_without_a_whole_character_still_has_its_logprob():
    transcript = Transcript()
    assert transcript.add(Delta(b"\xc3", logprobs=LOGPROB)) == Delta("", logprobs=LOGPROB)
    assert transcript.add(Delta(b"\xa4", logprobs=LOGPROB)) == Delta("ä", logprobs=LOGPROB)


def test_the_last_count_of_each_kind_is_told():
    counts = {"prompt_tokens": 9, "cached_tokens": 4}
    _, finish = ended(
        Transcript(), Delta(**counts), "a", Delta(reasoning_tokens=2), Delta(completion_tokens=7, reasoning_tokens=3)
    )
    assert finish == Finish(reason="stop", **counts, completion_tokens=7, reasoning_tokens=3)


def test_thoughts_and_calls_count_too_when_the_engine_does_not():
    transcript = Transcript(limit=3)
    pieces = [Delta(reasoning="a"), Delta(tool_calls=CALL), "c", Delta(reasoning="d")]
    assert [bool(transcript.add(piece)) for piece in pieces] == [True, True, True, False]
    assert transcript.ended
    assert transcript.finish()[1].reason == "length"


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([Delta(tool_calls=CALL)], "tool_calls"),
        ([Delta(tool_calls=CALL), Delta(finish_reason="stop")], "tool_calls"),
        ([Delta(tool_calls=CALL), Delta(finish_reason="length")], "length"),
        ([Delta("x", finish_reason="content_filter")], "content_filter"),
        (["x"], "stop"),
    ],
)
def test_reasons(pieces, reason):
    assert ended(Transcript(), *pieces)[1].reason == reason


def test_an_engine_that_honours_stop_and_max_tokens_is_left_alone():
    request = CompletionRequest(prompt="x", stop=("END",), max_tokens=1)
    transcript = Transcript.of(request, ("stop", "max_tokens"))
    assert [transcript.add(piece) for piece in ("a END", "b")] == ["a END", "b"]
    assert not transcript.ended
    assert [Transcript.of(request).add("a END")] == ["a "]
