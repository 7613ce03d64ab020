"""Tools, of the backends that claim to call them."""

from __future__ import annotations

import json
from typing import Any

from uml_core.testing.conformance.claiming import LONG, SCHEMA, check, choices_of
from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.running import CHAT, Running, text_of

TOOL = {"type": "function", "function": {"name": "set_light", "description": "Set a light.", "parameters": SCHEMA}}


class CallingTests(Running):
    """That a call which must be made is made, whatever the model knows of tools."""

    def test_required_tool_is_called(self, live: Live) -> None:
        """``tool_choice: required`` gives a call with an id, a known name, and arguments that follow the schema.

        A failure means that an agent gets prose where it needs a call, or arguments that its function refuses.
        """
        choice = live.post(CHAT, self._ask_for_call(temperature=1, seed=3)).body["choices"][0]
        assert choice["finish_reason"] == "tool_calls", choice
        (call,) = choice["message"]["tool_calls"]
        assert call["type"] == "function"
        assert call["id"], "the tool's result is sent back under this id"
        assert call["function"]["name"] == "set_light"
        check(json.loads(call["function"]["arguments"]))

    def test_named_tool_is_called(self, live: Live) -> None:
        """``tool_choice`` with a name gives a call of that tool, though there are others.

        A failure means that clients can't ask for a certain form of answer by a tool.
        """
        other = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}
        named = {"type": "function", "function": {"name": "set_light"}}
        body = self._ask_for_call(temperature=1, tools=[other, TOOL], tool_choice=named)
        (call,) = live.post(CHAT, body).body["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "set_light"
        check(json.loads(call["function"]["arguments"]))

    def test_call_in_a_stream(self, live: Live) -> None:
        """The first piece of a call has its id and name, the rest are pieces of the arguments; no text beside it.

        A failure means that clients which put calls together from deltas get another call than the whole answer has.
        """
        body = self._ask_for_call(temperature=0)
        (whole,) = live.post(CHAT, body).body["choices"][0]["message"]["tool_calls"]
        choices = choices_of(live.post(CHAT, {**body, "stream": True}))
        first, *rest = [call for choice in choices for call in choice["delta"].get("tool_calls") or ()]
        assert first["id"]
        assert first["function"]["name"] == whole["function"]["name"]
        assert not any(call.get("id") or call["function"].get("name") for call in rest), "it begins only once"
        assert {call["index"] for call in (first, *rest)} == {0}
        arguments = "".join(call["function"].get("arguments") or "" for call in (first, *rest))
        assert json.loads(arguments) == json.loads(whole["function"]["arguments"])
        assert choices[-1]["finish_reason"] == "tool_calls"

    def test_no_tool_is_called_when_none_may_be(self, live: Live) -> None:
        """``tool_choice: none`` gives text.

        A failure means that an agent can't ask for its last words.
        """
        choice = live.post(CHAT, self._ask_for_call(tool_choice="none", max_tokens=8)).body["choices"][0]
        assert not choice["message"].get("tool_calls")
        assert choice["finish_reason"] in {"stop", "length"}

    def test_result_of_a_tool_is_read(self, live: Live) -> None:
        """A conversation goes on after a call and its result.

        A failure means that an agent gets no further than its first tool: the chat template refuses the messages.
        """
        call = {"id": "call_1", "type": "function", "function": {"name": "set_light", "arguments": '{"on": true}'}}
        messages = [
            *self._ask_for_call()["messages"],
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "it is on"},
        ]
        answer = live.post(CHAT, self._ask_for_call(messages=messages, tool_choice="none", max_tokens=8))
        assert answer.status == 200, answer.text
        assert text_of(answer.body["choices"][0]) is not None

    def _ask_for_call(self, **rest: Any) -> dict[str, Any]:
        self.need_claim("tools")
        self.need("chat_prompt")
        asked = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 2 * LONG}
        return {**self.ask(CHAT), **asked, **rest}
