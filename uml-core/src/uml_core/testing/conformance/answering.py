"""Whole answers, of a worker that was loaded through the supervisor."""

from __future__ import annotations

from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.running import CHAT, Running, text_of

SHORT = 16


class AnsweringTests(Running):
    """That the worker gets ready, knows its token, and answers as OpenAI's API does."""

    def test_gets_ready(self, live: Live) -> None:
        """The sample is loaded, and the states are the known ones, in order.

        A failure or an error here has the worker's last lines: read them first. If the time ran out, look whether
        ``ready_path`` answers 200 to the token once the model is loaded.
        """
        assert live.witness.states[:2] == ["launching", "loading"]
        assert "ready" in live.witness.states

    def test_token_is_asked_for(self, live: Live) -> None:
        """The readiness path refuses a wrong token.

        A failure means that a foreign process on this port would be taken for the worker. Choose a ``ready_path`` that
        is behind authentication (``/props`` of llama-server, not its public ``/health``), and give it the token.
        """
        path = live.witness.commands[-1].ready_path
        assert live.get_as("not-the-token", path) in {401, 403}
        assert live.get(path).status == 200

    def test_tasks_are_behind_the_token(self, live: Live, path: str) -> None:
        """A task refuses a wrong token.

        A failure means that every program of the machine can use the worker, past the gateway. Pass the token to the
        engine's own server; ``uml_core.worker.serve`` checks it on every path.
        """
        assert live.post_as("not-the-token", path, self.ask(path, max_tokens=1)) in {401, 403}

    def test_answers(self, live: Live, path: str) -> None:
        """An answer has one choice with text, a finish reason, usage that adds up, and the model's name.

        A failure names the field. The name is ``plan.model_id``; an engine that can't echo it sets ``rewrites_frames``.
        """
        answer = live.post(path, self.ask(path, max_tokens=SHORT))
        assert answer.status == 200, answer.text
        body = answer.body
        assert body["object"] == ("chat.completion" if path == CHAT else "text_completion")
        assert len(body["choices"]) == 1
        assert text_of(body["choices"][0]).strip(), "the answer is empty"
        assert body["choices"][0]["finish_reason"] in {"stop", "length"}
        self.check_usage(body["usage"])
        self.check_name(live, body["model"])

    def test_answer_keeps_to_max_tokens(self, live: Live, path: str) -> None:
        """``max_tokens`` is the most that an answer has.

        A failure means that clients can't bound the time and the cost of an answer.
        """
        usage = live.post(path, self.ask(path, max_tokens=2)).body["usage"]
        assert usage["completion_tokens"] <= 2

    def test_unicode_survives(self, live: Live, path: str) -> None:
        """A prompt of many scripts is answered in valid UTF-8.

        A failure means that bytes are cut in the middle of a character, or that the prompt was decoded wrongly.
        """
        answer = live.post(path, self.ask(path, "Grüße, 世界! Привет 🙂 e\u0301", max_tokens=SHORT))
        assert answer.status == 200, answer.text

    def test_two_requests_at_once_are_answered(self, live: Live, path: str) -> None:
        """Two requests at the same time both get their answer; the second may wait for the first.

        A failure means that the engine is not safe to be called from two requests. Queue them in the worker.
        """
        body = self.ask(path, max_tokens=SHORT)
        assert [answer.status for answer in live.post_together(path, body, body)] == [200, 200]

    def check_usage(self, usage: dict[str, int]) -> None:
        assert usage["prompt_tokens"] > 0
        assert usage["completion_tokens"] > 0
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]

    def check_name(self, live: Live, name: str) -> None:
        active = live.supervisor.active()
        assert active is not None
        if not live.witness.commands[-1].rewrites_frames:
            assert name == active.plan.model_id, "an answer must carry the name that users know the model by"
