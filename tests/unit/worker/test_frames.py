"""The parts of an answer that are more than text, on the wire."""

import json
import math

import pytest

from uml_core.worker import Delta, TokenLogprob, ToolCallDelta, TopLogprob
from uml_core.worker.chat_frames import ChatFrames
from uml_core.worker.completion_frames import CompletionFrames
from uml_core.worker.frames import Shape
from uml_core.worker.message import Message
from uml_core.worker.transcript import Finish

STOP = Finish(reason="stop", prompt_tokens=5, completion_tokens=2)
TOKEN = TokenLogprob("ä", "ä".encode(), -0.5, (TopLogprob("ä", "ä".encode(), -0.5), TopLogprob("b", b"b", -math.inf)))


def bodies(events):
    return [json.loads(event.removeprefix("data: ")) for event in events.split("\n\n") if "{" in event]


def choice(events):
    (body,) = bodies(events)
    return body["choices"][0]


def whole(frames, *contents, finish=STOP):
    message = Message(finish=finish)
    for content in contents:
        message.add(content)
    return frames.whole([message])


def test_a_plain_text_is_the_same_event_however_it_comes():
    frames = ChatFrames("m", Shape(n=2))
    assert frames.part(1, "hi \n ä") == frames.part(1, Delta("hi \n ä"))
    assert choice(frames.part(1, "x"))["index"] == 1


def test_thoughts_have_their_own_field():
    frames = ChatFrames("m", Shape())
    assert choice(frames.part(0, Delta(reasoning="hm")))["delta"] == {"reasoning_content": "hm"}
    message = whole(frames, Delta(reasoning="h"), Delta("a", reasoning="m"), "b")["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "ab", "reasoning_content": "hm"}


def test_a_call_is_named_once_and_then_grows():
    frames = ChatFrames("m", Shape())
    first, more = ToolCallDelta(1, "call_1", "look", ""), ToolCallDelta(1, arguments='{"a')
    assert choice(frames.part(0, Delta(tool_calls=(first,))))["delta"]["tool_calls"] == [
        {"index": 1, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    ]
    assert choice(frames.part(0, Delta(tool_calls=(more,))))["delta"] == {
        "tool_calls": [{"index": 1, "function": {"arguments": '{"a'}}]
    }


def test_a_whole_answer_has_its_calls_in_order_and_no_empty_text():
    late, early = ToolCallDelta(1, "b", "two", "{}"), ToolCallDelta(0, "a", "one", "{")
    calls = [Delta(tool_calls=(late, early)), Delta(tool_calls=(ToolCallDelta(0, arguments="}"),))]
    message = whole(ChatFrames("m", Shape()), *calls)["choices"][0]["message"]
    assert message["content"] is None
    assert [(call["id"], call["function"]) for call in message["tool_calls"]] == [
        ("a", {"name": "one", "arguments": "{}"}),
        ("b", {"name": "two", "arguments": "{}"}),
    ]


def test_logprobs_of_a_chat():
    token = {"token": "ä", "logprob": -0.5, "bytes": [0xC3, 0xA4]}
    told = {"token": "b", "logprob": -9999.0, "bytes": [0x62]}
    said = choice(ChatFrames("m", Shape()).part(0, Delta("ä", logprobs=(TOKEN,))))
    assert said["delta"] == {"content": "ä"}
    assert said["logprobs"] == {"content": [{**token, "top_logprobs": [token, told]}], "refusal": None}


def test_logprobs_of_a_completion_know_where_their_tokens_begin():
    frames = CompletionFrames("m", Shape())
    plain = TokenLogprob("xyz", b"xyz", math.nan)
    first = choice(frames.part(0, Delta("ä", logprobs=(TOKEN,))))["logprobs"]
    assert first == {
        "tokens": ["ä"],
        "token_logprobs": [-0.5],
        "top_logprobs": [{"ä": -0.5, "b": -9999.0}],
        "text_offset": [0],
    }
    next_ = choice(frames.part(0, Delta("xyzä", logprobs=(plain, TOKEN))))["logprobs"]
    assert next_["text_offset"] == [1, 4]
    assert next_["token_logprobs"] == [-9999.0, -0.5]
    both = whole(CompletionFrames("m", Shape()), Delta("ä", logprobs=(TOKEN,)), Delta("xyzä", logprobs=(plain, TOKEN)))
    assert both["choices"][0]["logprobs"]["text_offset"] == [0, 1, 4]


def test_no_likely_tokens_are_told_of_when_none_were_asked_for():
    chosen = TokenLogprob("a", b"a", -1.0)
    said = choice(CompletionFrames("m", Shape()).part(0, Delta("a", logprobs=(chosen,))))
    assert said["logprobs"]["top_logprobs"] is None
    said = choice(ChatFrames("m", Shape()).part(0, Delta("a", logprobs=(chosen,))))
    assert said["logprobs"]["content"][0]["top_logprobs"] == []


@pytest.mark.parametrize("frames", [ChatFrames, CompletionFrames])
def test_a_prompt_counts_once_for_all_its_answers(frames):
    rest = {"reason": "stop", "prompt_tokens": 5}
    finishes = [
        Finish(**rest, completion_tokens=2, cached_tokens=1, reasoning_tokens=1),
        Finish(**rest, completion_tokens=3, cached_tokens=5, reasoning_tokens=0),
    ]
    (body,) = bodies(frames("m", Shape(n=2)).ending(dict(enumerate(finishes))))
    assert body["choices"] == []
    assert body["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 5,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
