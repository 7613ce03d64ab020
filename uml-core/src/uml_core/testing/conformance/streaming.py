"""Answers that come as a stream of server-sent events."""

from __future__ import annotations

import time

from uml_core.testing.conformance.answer import DONE
from uml_core.testing.conformance.answering import SHORT
from uml_core.testing.conformance.effort import Effort
from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.running import CHAT, Running, text_of

CANCEL_S = 5.0
"""How long the engine may go on after the client has left."""


class StreamingTests(Running):
    """That a stream has the shape that every OpenAI client relies on, and that leaving it stops the engine."""

    def test_stream_has_its_shape(self, live: Live, path: str) -> None:
        """Deltas, exactly one finish reason and nothing after it, then ``[DONE]``.

        A failure means that clients wait for ever, lose text, or take a cut stream for a whole one. ``[DONE]`` means
        success only and is the last frame; the finish reason stands in the last chunk that has a choice.
        """
        answer = live.post(path, self.ask(path, max_tokens=SHORT, stream=True))
        assert answer.status == 200, answer.text
        assert answer.content_type.startswith("text/event-stream")
        assert answer.frames[-1] == DONE
        assert answer.frames.count(DONE) == 1
        choices = [chunk["choices"][0] for chunk in answer.chunks if chunk["choices"]]
        reasons = [choice["finish_reason"] for choice in choices]
        assert reasons[-1] in {"stop", "length"}
        assert set(reasons[:-1]) <= {None}, f"more than one finish reason: {reasons}"
        assert "".join(text_of(choice) for choice in choices).strip(), "the stream has no text"

    def test_stream_of_a_chat_begins_with_the_role(self, live: Live) -> None:
        """The first delta of a chat says who speaks.

        A failure means that clients which build a message from deltas build one without a role.
        """
        self.need("chat_prompt")
        chunks = live.post(CHAT, self.ask(CHAT, max_tokens=2, stream=True)).chunks
        assert chunks[0]["object"] == "chat.completion.chunk"
        assert chunks[0]["choices"][0]["delta"].get("role") == "assistant"

    def test_stream_has_usage_when_asked(self, live: Live, path: str) -> None:
        """``stream_options.include_usage`` adds one chunk with usage, at the end.

        A failure means that the gateway can't meter: it always asks for usage.
        """
        body = self.ask(path, max_tokens=SHORT, stream=True, stream_options={"include_usage": True})
        chunks = live.post(path, body).chunks
        usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        assert len(usages) == 1, f"{len(usages)} chunks with usage"
        assert chunks[-1].get("usage"), "usage stands in the last chunk"
        assert usages[0]["completion_tokens"] > 0

    def test_stream_and_answer_agree(self, live: Live, path: str) -> None:
        """At temperature 0 the joined deltas are the text of the whole answer.

        A failure means that the stream loses or doubles text, most often at the border of a multi-byte character or of
        a special token.
        """
        body = self.ask(path, max_tokens=SHORT, temperature=0, seed=1)
        chunks = live.post(path, {**body, "stream": True}).chunks
        joined = "".join(text_of(chunk["choices"][0]) for chunk in chunks if chunk["choices"])
        assert joined == text_of(live.post(path, body).body["choices"][0])

    def test_leaving_a_stream_stops_the_engine(self, live: Live, path: str) -> None:
        """After the client has left, the worker comes to rest, and the next request is answered.

        A failure means that the engine computes for nobody while others wait. Stop between two tokens when the
        connection is closed; ``uml_core.worker.serve`` closes the generator then.
        """
        body = self.ask(path, "Count: one, two, three, four, five, six,", max_tokens=self.context_length, stream=True)
        live.post_and_leave(path, body)
        left = time.monotonic()
        while not Effort.is_resting(live):
            assert time.monotonic() - left < CANCEL_S, f"still busy {CANCEL_S:.0f} s after its client has left"
        assert live.post(path, self.ask(path, max_tokens=1)).status == 200
