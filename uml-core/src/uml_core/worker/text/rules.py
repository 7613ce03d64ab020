"""The rules of a grammar while it is being written."""

from __future__ import annotations


class Rules:
    """Named rules of Lark, each written once."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}

    def add(self, name: str, expression: str) -> str:
        """Add a rule, unless it is there, and give its name without options."""
        self._rules.setdefault(name, expression)
        return name.split("[", 1)[0]

    def new(self, expression: str) -> str:
        """Add a rule under a name of its own."""
        return self.add(f"uml_{len(self._rules)}", expression)

    def __contains__(self, name: str) -> bool:
        return name in self._rules

    def __str__(self) -> str:
        return "".join(f"{name}: {expression}\n" for name, expression in self._rules.items())
