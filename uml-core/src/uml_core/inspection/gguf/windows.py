"""Which layers attend to a sliding window only."""

from __future__ import annotations

from uml_core.inspection.gguf.architectures import SLIDING, Sliding
from uml_core.inspection.gguf.facts import Facts

PATTERN = "attention.sliding_window_pattern"


def windows(facts: Facts, layers: int) -> tuple[int | None, ...]:
    """The window of each layer in tokens, or None for one that attends to all that came before."""
    rule = SLIDING.get(facts.architecture or "")
    window = _window(facts, rule, layers)
    if not window:
        return (None,) * layers
    return tuple(window if slides else None for slides in _sliding(facts, rule, layers))


def _window(facts: Facts, rule: Sliding | None, layers: int) -> int | None:
    said = facts.own_count("attention.sliding_window")
    if rule is None:
        return said if isinstance(facts.own(PATTERN), tuple) else None
    if rule.layers not in (None, layers):
        return None
    if said is None:
        return rule.usual
    return rule.always or said if said else None


def _sliding(facts: Facts, rule: Sliding | None, layers: int) -> list[bool]:
    """The file may say it for each layer, or how many layers the pattern has."""
    pattern = facts.own(PATTERN)
    if isinstance(pattern, tuple):
        return [bool(slides) for slides in pattern[:layers]] + [False] * (layers - len(pattern))
    every = facts.own_count(PATTERN)
    if every is None:
        every = rule.every if rule else 1
    full = 0 if rule and rule.full_first else every - 1
    return [every == 0 or layer % every != full for layer in range(layers)]
