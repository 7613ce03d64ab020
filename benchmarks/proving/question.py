"""What the clients ask, and what a model that always takes the likeliest token answers."""

from __future__ import annotations

from typing import Any

import httpx
from attrs import frozen

THINGS = (
    "sun", "moon", "sea", "forest", "desert", "river", "mountain", "lighthouse", "library", "piano", "violin",
    "bicycle", "train", "telescope", "microscope", "kitchen", "garden", "castle", "bridge", "harbour", "volcano",
    "glacier", "island", "rainbow", "thunderstorm", "honey bee", "elephant", "dolphin", "penguin", "owl", "wolf",
    "horse",
)  # fmt: skip
TOKENS = 24


@frozen(kw_only=True)
class Question:
    """One request: no two have the same body, and which answer is right is known."""

    number: int
    thing: str
    streamed: bool
    model: str
    tokens: int = TOKENS

    @property
    def id(self) -> str:
        return f"proof-{self.number}"

    @property
    def body(self) -> dict[str, Any]:
        """A body with the number as seed, which changes nothing when the likeliest token is taken."""
        content = f"Tell me about the {self.thing}."
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.tokens,
            "temperature": 0,
            "seed": self.number,
            "stream": self.streamed,
        }


@frozen
class Known:
    """The right answer to a question, asked when nothing else went on."""

    text: str
    tokens: int


async def learn(url: str, model: str, things: tuple[str, ...]) -> dict[str, Known]:
    """Ask for each thing once, and again, so that it is known that the answer is always the same.

    :raises ValueError: it is not, or two things have the same answer
    """
    known: dict[str, Known] = {}
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for number, thing in enumerate([*things, *things[:4]]):
            body = Question(number=number, thing=thing, streamed=False, model=model).body
            answer = (await client.post("/v1/chat/completions", json=body)).raise_for_status().json()
            said = Known(answer["choices"][0]["message"]["content"], answer["usage"]["completion_tokens"])
            if known.setdefault(thing, said) != said:
                raise ValueError(f"the answer about the {thing} is not always the same")
    if len({said.text for said in known.values()}) < len(known):
        raise ValueError("two questions have the same answer: a mix-up would not be noticed")
    return known
