"""What an answer may be asked for beyond its text, of the backends that claim it."""

from __future__ import annotations

import json
from typing import Any

from uml_core.testing.conformance.answer import Answer
from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.running import CHAT, Running, text_of

ANSWERS = 3
TOKENS = 4
LONG = 96
"""Tokens that the longest JSON here has with room to spare, even a byte each."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"kind": {"enum": ["cat", "dög"]}, "on": {"type": "boolean"}, "level": {"enum": [1, 2, None]}},
    "required": ["kind", "on", "level"],
    "additionalProperties": False,
}
"""Its values are few, so that even a model that knows nothing comes to an end."""


class ClaimingTests(Running):
    """That what a backend claims holds for any model: also for one of random weights."""

    def test_n_answers(self, live: Live, path: str) -> None:
        """``n`` gives so many choices, numbered, and counts the prompt once.

        A failure means that clients which choose among answers get one, or pay for others' prompts.
        """
        self.need_claim("n")
        one = live.post(path, self.ask(path, max_tokens=TOKENS)).body
        body = live.post(path, self.ask(path, max_tokens=TOKENS, n=ANSWERS)).body
        assert [choice["index"] for choice in body["choices"]] == list(range(ANSWERS))
        assert body["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
        assert body["usage"]["completion_tokens"] <= ANSWERS * TOKENS

    def test_n_answers_in_a_stream(self, live: Live, path: str) -> None:
        """Each of ``n`` streamed answers is whole, under its index; at temperature 0 all are the whole answer.

        A failure means that the deltas of different answers are mixed up, or that a choice never ends.
        """
        self.need_claim("n")
        body = self.ask(path, max_tokens=TOKENS, n=ANSWERS, temperature=0)
        whole = text_of(live.post(path, {**body, "n": 1}).body["choices"][0])
        choices = choices_of(live.post(path, {**body, "stream": True}))
        for index in range(ANSWERS):
            mine = [choice for choice in choices if choice["index"] == index]
            assert "".join(map(text_of, mine)) == whole
            assert sum(choice["finish_reason"] is not None for choice in mine) == 1

    def test_a_seed_gives_the_same_answer_again(self, live: Live, path: str) -> None:
        """With a seed two answers are the same, though they are drawn.

        A failure means that nobody can show you the answer that they got. Seed the engine's sampler for each request.
        """
        self.need_claim("seed")
        body = self.ask(path, max_tokens=2 * TOKENS, temperature=1, seed=11)
        first, again = (text_of(live.post(path, body).body["choices"][0]) for _ in range(2))
        assert first == again

    def test_logprobs(self, live: Live, path: str) -> None:
        """Each token is told of with its logarithm, and the likeliest beside it, the likeliest first.

        A failure means that confidence, ranking and evaluation tools compute with wrong numbers. They are those of the
        model itself, before temperature and the other sampling options.
        """
        self.need_claim("logprobs")
        answer = live.post(path, self.ask(path, max_tokens=TOKENS, temperature=0, **asking_for_logprobs(path))).body
        tokens = tokens_of(answer["choices"][0])
        assert 0 < len(tokens) <= answer["usage"]["completion_tokens"]
        for _, logprob, likely in tokens:
            assert logprob <= 0
            assert likely == sorted(likely, reverse=True)
            assert abs(likely[0] - logprob) < 1e-3, "at temperature 0 the likeliest is chosen"

    def test_logprobs_in_a_stream(self, live: Live, path: str) -> None:
        """A stream tells of the same tokens as the whole answer.

        A failure means that tokens get lost which end within a character, or come after the last text.
        """
        self.need_claim("logprobs")
        body = self.ask(path, max_tokens=TOKENS, temperature=0, **asking_for_logprobs(path))
        whole = tokens_of(live.post(path, body).body["choices"][0])
        told = [
            token for choice in choices_of(live.post(path, {**body, "stream": True})) for token in tokens_of(choice)
        ]
        assert [token for token, *_ in told] == [token for token, *_ in whole]

    def test_cached_tokens(self, live: Live, path: str) -> None:
        """The usage of a prompt that was just read says that it needn't be computed again.

        A failure means that the engine reads each turn of a conversation from its beginning, or doesn't say that it
        didn't.
        """
        self.need_claim("cached_tokens")
        body = self.ask(path, "The quick brown fox jumps over the lazy dog. " * 4, max_tokens=1)
        live.post(path, body)
        usage = live.post(path, body).body["usage"]
        assert 0 < usage["prompt_tokens_details"]["cached_tokens"] <= usage["prompt_tokens"]

    def test_schema(self, live: Live) -> None:
        """An answer follows the JSON schema of ``response_format``, however it is drawn.

        A failure means that programs get what they can't parse. The constraint must hold for each token, and the
        answer must end where the JSON is complete.
        """
        self.need_claim("schema")
        for seed in range(TOKENS):
            (choice,) = live.post(CHAT, self._ask_for_json(temperature=1, seed=seed)).body["choices"]
            assert choice["finish_reason"] == "stop", choice
            check(json.loads(text_of(choice)))

    def test_schema_in_a_stream(self, live: Live) -> None:
        """Streamed JSON is the whole answer's.

        A failure means that a constraint is kept in one of the two only.
        """
        self.need_claim("schema")
        whole = text_of(live.post(CHAT, self._ask_for_json(temperature=0)).body["choices"][0])
        choices = choices_of(live.post(CHAT, self._ask_for_json(temperature=0, stream=True)))
        assert "".join(map(text_of, choices)) == whole

    def _ask_for_json(self, **rest: Any) -> dict[str, Any]:
        self.need("chat_prompt")
        named = {"name": "light", "schema": SCHEMA, "strict": True}
        return self.ask(CHAT, max_tokens=LONG, response_format={"type": "json_schema", "json_schema": named}, **rest)


def check(value: Any) -> None:
    """That *value* follows SCHEMA, key for key."""
    assert set(value) == set(SCHEMA["required"])
    assert value["kind"] in {"cat", "dög"}
    assert isinstance(value["on"], bool)
    assert value["level"] in {1, 2, None}


def choices_of(stream: Answer) -> list[dict[str, Any]]:
    """All choices of a stream, in the order in which they came."""
    return [choice for chunk in stream.chunks for choice in chunk["choices"]]


def asking_for_logprobs(path: str) -> dict[str, Any]:
    """The fields that ask for the two likeliest tokens."""
    return {"logprobs": True, "top_logprobs": 2} if path == CHAT else {"logprobs": 2}


def tokens_of(choice: dict[str, Any]) -> list[tuple[str, float, list[float]]]:
    """Of each token its text, its logarithm, and those of the likeliest, in either of the two forms."""
    said = choice.get("logprobs") or {}
    if "tokens" in said:
        likely = [sorted(top.values(), reverse=True) for top in said["top_logprobs"]]
        return list(zip(said["tokens"], said["token_logprobs"], likely, strict=True))
    return [
        (token["token"], token["logprob"], [top["logprob"] for top in token["top_logprobs"]])
        for token in said.get("content") or ()
    ]
