"""The best setting that fits: what is best comes first, and more memory never makes it worse."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from uml_core.planning.choice import BASE, Choice
from uml_core.planning.first import first
from uml_core.planning.groups import groups_of, split_of
from uml_core.planning.places import Places
from uml_core.planning.scoping import scope_of
from uml_core.planning.setting import Scope, Setting, Step, Tier
from uml_core.planning.sizer import Sizer
from uml_core.planning.subject import Subject
from uml_core.types import Placement


class Search:
    """Searches for one variant of a model."""

    def __init__(self, scope: Scope, places: Places, sizer: Sizer, base: Placement) -> None:
        """Nothing is asked yet.

        :param base: what is not searched for: the batch, whether files are mapped …
        """
        self._scope = scope
        self._places = places
        self._sizer = sizer
        self._base = base
        self._steps = {tier: tuple(one for one in scope.steps if one.tier(scope.blocks) is tier) for tier in Tier}

    def best(self) -> Choice | None:
        """The best that fits, by :meth:`Choice.score`; None if nothing does.

        What one setting takes grows with the context, with finer numbers in the cache and with more sequences, so the
        most of each is looked for with the least of those that matter less.
        """
        contexts = self._scope.context_lengths
        for roomy in ([one for one in contexts if one >= self._scope.usable], contexts):
            for tier in reversed(Tier):
                if found := self._in(self._steps[tier], self._worth(tier, roomy)):
                    return Choice(setting=found, tier=tier, sized=self._sizer.at(found))
        return None

    def nearest(self) -> Choice:
        """What is nearest to fitting where nothing does: the smallest of all, where it lacks least."""
        scope = self._scope
        least = self._setting(scope.context_lengths[-1], scope.cache_types[-1], scope.parallels[-1])
        found = self._places.nearest(scope.steps, least)
        return Choice(setting=found, tier=Tier.LESS, sized=self._sizer.at(found), fits=False)

    def _worth(self, tier: Tier, contexts: Sequence[int]) -> Sequence[int]:
        """Beyond a context to work with, no layer is taken off a device for more of it."""
        if tier is Tier.ALL or not self._scope.steps[0].gpu_layers or len(contexts) < 2:
            return contexts
        return [tokens for tokens in contexts if tokens <= BASE]

    def _in(self, steps: Sequence[Step], contexts: Sequence[int]) -> Setting | None:
        scope, fit = self._scope, self._places.fit
        coarsest, fewest = scope.cache_types[-1], scope.parallels[-1]
        found = first(contexts, lambda tokens: fit(steps, self._setting(tokens, coarsest, fewest))) if steps else None
        if found is None:
            return None
        tokens = found.context_length
        finer = first(scope.cache_types, lambda types: fit(steps, self._setting(tokens, types, fewest)))
        kept = finer or found
        return first(scope.parallels, lambda parallel: fit(steps, evolve(kept, parallel=parallel))) or kept

    def _setting(self, context_length: int, cache_types: tuple[str, str], parallel: int) -> Setting:
        keys, values = cache_types
        batch = max(self._base.batch, context_length) if self._scope.whole else self._base.batch
        placement = evolve(self._base, cache_type_k=keys, cache_type_v=values, batch=batch)
        return Setting(context_length=context_length, parallel=parallel, placement=placement)


def search_of(subject: Subject) -> Search:
    """The search for one variant as the machine is now.

    :raises InvalidOptionsError: what was said contradicts itself, or the engine has no such thing
    """
    groups = groups_of(subject)
    places = Places(subject.sizer, subject.budgets, groups, split_of(subject, groups))
    return Search(scope_of(subject), places, subject.sizer, subject.knobs.placement())
