"""Which of the backends that can load a model is the best one, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from attrs import frozen

from uml_core.planning.learned import MARGIN
from uml_core.types import Level, Match, Rejected


class Candidate(NamedTuple):
    """A backend, what it said of a model, and the sentence about it."""

    name: str
    answer: Match | Rejected
    reason: str


@frozen
class Ranking:
    """Ranks backends.

    The measured one that is faster by more than a twentieth goes before a measured one that would come first: by level,
    then by *prefer*, then by name. One that wasn't measured here can't be compared. A fallback goes before nobody.

    :param speeds: tokens a second of those that were measured here
    """

    prefer: Sequence[str]
    speeds: Mapping[str, float]

    def rank(self, matches: Mapping[str, Match]) -> list[Candidate]:
        """All of them, the best first, each with the reason why it's there."""
        if not matches:
            return []
        best, reason = self._best(matches)
        first = Candidate(best, matches[best], reason)
        return [
            first,
            *(Candidate(name, matches[name], self._too(name, matches[name])) for name in self._rest(matches)),
        ]

    def _rest(self, matches: Mapping[str, Match]) -> Iterator[str]:
        left = dict(matches)
        left.pop(self._best(left)[0])
        while left:
            yield (best := self._best(left)[0])
            left.pop(best)

    def _too(self, name: str, match: Match) -> str:
        """The sentence of one that could do it, but isn't the best."""
        speed = f"; {self.speeds[name]:.3g} tokens/s here" if name in self.speeds else ""
        return f"could load it too ({match.level.name.lower()}: {match.reason}{speed})"

    def _best(self, matches: Mapping[str, Match]) -> tuple[str, str]:
        if len(matches) == 1:
            return next(iter(matches)), "it is the only one that can"
        usual, why = self._usual(matches)
        fair = [name for name, match in matches.items() if match.level > Level.FALLBACK and name in self.speeds]
        rivals = [name for name in fair if name != usual]
        if usual not in fair or not rivals:
            return usual, why
        return self._fastest(matches, usual, why, rivals)

    def _fastest(self, matches: Mapping[str, Match], usual: str, why: str, rivals: Sequence[str]) -> tuple[str, str]:
        most = max(self.speeds[name] for name in rivals)
        if most > self.speeds[usual] * MARGIN:
            near = {name: matches[name] for name in rivals if self.speeds[name] * MARGIN >= most}
            best = self._usual(near)[0]
            return best, f"it was faster here: {self._numbers(best, usual)}; '{usual}' would come first unmeasured"
        rival = max(rivals, key=lambda name: self.speeds[name])
        if self.speeds[usual] > most * MARGIN:
            return usual, f"it was faster here: {self._numbers(usual, rival)}; {why}"
        return usual, f"it was as fast here: {self._numbers(usual, rival)}; {why}"

    def _numbers(self, one: str, other: str) -> str:
        return f"{self.speeds[one]:.3g} against {self.speeds[other]:.3g} tokens/s of '{other}'"

    def _usual(self, matches: Mapping[str, Match]) -> tuple[str, str]:
        """The one that comes first where nothing is measured."""
        level = max(match.level for match in matches.values())
        top = sorted(name for name, match in matches.items() if match.level == level)
        if len(top) == 1:
            return top[0], f"it suits the model best ({level.name.lower()})"
        for name in self.prefer:
            if name in top:
                return name, f"it is preferred in uml.toml to {_listed(top, name)}"
        return top[
            0
        ], f"by name, for {_listed(top, top[0])} would do as well; `prefer` in [plugins] of uml.toml decides"


def _listed(names: Sequence[str], chosen: str) -> str:
    return " and ".join(f"'{name}'" for name in names if name != chosen)
