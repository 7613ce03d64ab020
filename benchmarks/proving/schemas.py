"""JSON schemas as programs ask for them, drawn by chance: nested objects, choices, unions, lists, numbers, references.

Everything has an end: a text without a longest length, or a list without a most, is one that a weak model never leaves.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
NAMES = (
    "name",
    "age",
    "größe",
    "名前",
    "is_ok",
    "items",
    "naïve key",
    "кто",
    'with"quote',
    "emoji 🙂",
    "x",
    "left-over",
)
WORDS = ("red", "grün", "青", "да", "no", "a b", "it's", 'say "hi"', "back\\slash", "🙂🙃", "line\nbreak", "")


class Draw:
    """One schema, drawn with *chance*; ``definitions`` are what its references name."""

    def __init__(self, chance: random.Random, *, fractions: bool = True) -> None:
        self.chance, self.fractions = chance, fractions
        self.definitions: dict[str, Schema] = {}

    def schema(self) -> Schema:
        """A whole schema: an object, for that is what APIs allow."""
        drawn = self.object(3)
        return {**drawn, "$defs": self.definitions} if self.definitions else drawn

    def any(self, depth: int) -> Schema:
        plain = [self.choice, self.text, self.integer, self.truth, self.nothing, self.constant]
        if self.fractions:
            plain.append(self.number)
        made = [self.object, self.list, self.union, self.reference] if depth > 0 else []
        pick: Callable[..., Schema] = self.chance.choice([*plain, *made, *made])
        return pick(depth) if pick in made else pick()

    def object(self, depth: int) -> Schema:
        names = self.chance.sample(NAMES, self.chance.randint(2, 4))
        required = [name for name in names if self.chance.random() < 0.8]
        properties = {name: self.any(depth - 1) for name in names}
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def list(self, depth: int) -> Schema:
        fewest = self.chance.randint(0, 2)
        most = fewest + self.chance.randint(0, 2)
        return {"type": "array", "items": self.any(depth - 1), "minItems": fewest, "maxItems": max(1, most)}

    def union(self, depth: int) -> Schema:
        return {"anyOf": [self.any(depth - 1) for _ in range(self.chance.randint(2, 3))]}

    def reference(self, depth: int) -> Schema:
        name = f"thing{len(self.definitions)}"
        self.definitions[name] = {}  # taken, while what it stands for is drawn
        self.definitions[name] = self.object(depth - 1)
        return {"$ref": f"#/$defs/{name}"}

    def choice(self) -> Schema:
        return {"enum": self.chance.sample([*WORDS, 1, -7, True, None], self.chance.randint(1, 5))}

    def text(self) -> Schema:
        fewest = self.chance.randint(0, 3)
        return {"type": "string", "minLength": fewest, "maxLength": fewest + self.chance.randint(1, 12)}

    def integer(self) -> Schema:
        low = self.chance.randint(-500, 500)
        return {"type": "integer", "minimum": low, "maximum": low + self.chance.randint(0, 5000)}

    def number(self) -> Schema:
        return {"type": "number"}

    def truth(self) -> Schema:
        return {"type": "boolean"}

    def nothing(self) -> Schema:
        return {"type": "null"}

    def constant(self) -> Schema:
        return {"const": self.chance.choice(WORDS)}


def drawn(number: int, *, fractions: bool = True) -> Schema:
    """The schema of that number, always the same; without *fractions* every value of it has a longest form."""
    return Draw(random.Random(number), fractions=fractions).schema()


def drawn_tools(number: int) -> list[Schema]:
    """Some tools whose arguments have such schemas, in OpenAI's form."""
    chance = random.Random(number)
    names = chance.sample(["get_weather", "add", "search-web", "sendMail", "x"], chance.randint(1, 3))
    return [
        {"type": "function", "function": {"name": name, "parameters": Draw(chance, fractions=False).schema()}}
        for name in names
    ]
