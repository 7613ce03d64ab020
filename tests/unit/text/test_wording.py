"""From tokens to words: characters, stop texts and probabilities that cross the borders of tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uml_core.testing.driving import Told
from uml_core.worker import CompletionRequest
from uml_core.worker.text.choice import Chosen
from uml_core.worker.text.wording import Wording

STORY = "the quick été 🙂 jumps over 日本 dogs"


def worded(tokenizer, tokens, **more):
    """What is told of these tokens, and whether a stop text ended it."""
    wording = Wording(tokenizer, CompletionRequest.read({"prompt": "x", **more}))
    pieces = []
    for token in tokens:
        top = ((token, -0.5), (5, -2.0))[: more.get("logprobs", 0)]
        pieces += wording.feed(Chosen(token, -0.5, top) if "logprobs" in more else Chosen(token))
        if wording.stopped:
            break
    pieces += wording.finish()
    return Told.of(pieces), wording.stopped


def test_no_piece_ends_within_a_character(tokenizer):
    tokens = tokenizer.encode(STORY, add_special=False)
    assert any(len(tokenizer.piece(token).decode("utf-8", "ignore")) == 0 for token in tokens), "none is split"
    told, _ = worded(tokenizer, tokens)
    assert all(isinstance(piece, str) and "\ufffd" not in piece for piece in told.pieces)
    assert told.text == STORY


def test_half_a_character_at_the_end_is_marked(tokenizer):
    told, _ = worded(tokenizer, tokenizer.encode("🙂", add_special=False)[:-1])
    assert told.text == "\ufffd"


def test_special_tokens_are_not_written(tokenizer):
    told, _ = worded(tokenizer, [0, *tokenizer.encode("fox", add_special=False), 0])
    assert told.text == "fox"


@pytest.mark.parametrize("stop", ["q", "quick été", "é 🙂 j", "本 d", "🙂", STORY[-3:], STORY])
def test_a_stop_text_anywhere(tokenizer, stop):
    tokens = tokenizer.encode(STORY, add_special=False)
    told, stopped = worded(tokenizer, tokens, stop=stop)
    assert (told.text, stopped) == (STORY[: STORY.index(stop)], True)
    assert worded(tokenizer, tokens, stop=["never", stop])[0].text == STORY[: STORY.index(stop)]


def test_what_only_begins_like_a_stop_text_is_told_in_the_end(tokenizer):
    told, stopped = worded(tokenizer, tokenizer.encode("the fox jum", add_special=False), stop=["jumps", "fox runs"])
    assert (told.text, stopped) == ("the fox jum", False)


@settings(max_examples=150, deadline=None)
@given(st.text("abé🙂 ", max_size=30), st.lists(st.text("abé🙂 ", min_size=1, max_size=4), max_size=3))
def test_stop_texts_cut_as_one_would_cut_the_whole(tokenizer, text, stops):
    told, stopped = worded(tokenizer, tokenizer.encode(text, add_special=False), stop=stops)
    ends = [text.index(stop) for stop in stops if stop in text]
    assert stopped == bool(ends)
    if ends:  # the first that is complete counts, which may begin later
        assert told.text in {text[:end] for end in ends}
    else:
        assert told.text == text


def test_probabilities_go_with_their_text(tokenizer):
    tokens = tokenizer.encode(STORY, add_special=False)
    told, _ = worded(tokenizer, tokens, logprobs=2)
    assert b"".join(logprob.bytes for logprob in told.logprobs) == STORY.encode()
    assert len(told.logprobs) == len(tokens)
    assert all(piece.text for piece in told.pieces)
    first = told.logprobs[0]
    assert (first.logprob, len(first.top), first.top[1].logprob) == (-0.5, 2, -2.0)
    assert first.token == tokenizer.piece(tokens[0]).decode()


def test_no_probability_of_what_a_stop_text_cut(tokenizer):
    tokens = tokenizer.encode("fox dog cat", add_special=False)
    told, _ = worded(tokenizer, tokens, logprobs=0, stop=" dog")
    assert told.text == "fox"
    assert b"".join(logprob.bytes for logprob in told.logprobs) == b"fox"
    told, _ = worded(tokenizer, tokens, logprobs=0, stop="g c")
    assert told.text == "fox do"
    assert b"".join(logprob.bytes for logprob in told.logprobs).startswith(b"fox do")
