"""Requests that can't be answered."""

from __future__ import annotations

from typing import Any

from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.running import CHAT, Running


class RefusingTests(Running):
    """That a wrong request gets an error a client understands, and costs nobody else anything."""

    def test_bad_request_is_refused(self, live: Live, path: str) -> None:
        """A body without a usable prompt gets a 4xx in OpenAI's shape, and the worker goes on.

        A failure means that a client's mistake looks like a fault of the server, or ends the worker. Validate before
        calling the engine.
        """
        bad: dict[str, Any] = {"messages": "not a list"} if path == CHAT else {"prompt": {"not": "a text"}}
        answer = live.post(path, bad)
        assert 400 <= answer.status < 500, f"{answer.status}: {answer.text[:200]}"
        assert answer.error["message"].strip()
        self.check_alive(live, path)

    def test_too_long_prompt_is_refused(self, live: Live, path: str) -> None:
        """A prompt longer than the context gets a 400 with the code ``context_length_exceeded``.

        A failure means that clients can't tell "make it shorter" from "try again". If the engine has an error type of
        its own for it, map it in ``WorkerCommand.error_codes``. Never cut the prompt silently.
        """
        answer = live.post(path, self.ask(path, "word " * 2 * self.context_length, max_tokens=4))
        assert answer.status == 400, f"{answer.status}: {answer.text[:200]}"
        assert answer.code == "context_length_exceeded"
        self.check_alive(live, path)

    def test_unknown_path_is_refused(self, live: Live) -> None:
        """A path that is no task's gets a 404.

        A failure means that the engine's server answers on paths that nobody has checked: switch its web pages off.
        """
        assert live.post("/v1/no/such/task", {}).status == 404

    def check_alive(self, live: Live, path: str) -> None:
        assert live.post(path, self.ask(path, max_tokens=1)).status == 200, "the worker did not go on"
