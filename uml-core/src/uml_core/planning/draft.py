"""One variant of a model, what was chosen for it, and how good that is beside the other variants."""

from __future__ import annotations

from attrs import frozen

from uml_core.planning.choice import BASE, Choice
from uml_core.planning.scoping import scope_of, target_of
from uml_core.planning.search import search_of
from uml_core.planning.setting import Tier
from uml_core.planning.subject import Subject

WRONG_BYTES = 150_000_000
WRONG_PART = 0.15
"""The formula may be wrong by so much: then the engine is asked, before a load is refused."""
Score = tuple[float, ...]


@frozen(kw_only=True)
class Draft:
    """One variant, what was chosen for it, and out of how many variants."""

    subject: Subject
    choice: Choice
    variants: int = 1

    @property
    def share(self) -> float:
        """The largest part of a budget that it takes; more than 1 if it doesn't fit."""
        return self.subject.budgets.share(self.choice.sized.estimate)

    @property
    def is_hopeless(self) -> bool:
        """Whether so much is lacking that no formula is so wrong."""
        budgets = self.subject.budgets
        lacking = budgets.over(self.choice.sized.estimate).items()
        return any(size > max(WRONG_BYTES, WRONG_PART * budgets.on(device).budget_bytes) for device, size in lacking)

    @property
    def score(self) -> Score:
        """What drafts are compared by; one that doesn't fit by how much it lacks, after all those that do."""
        subject = self.subject
        if not self.choice.fits:
            return (-1.0, -sum(subject.budgets.over(self.choice.sized.estimate).values()))
        usable, size = scope_of(subject).usable, subject.model.size_bytes
        return self.choice.score(quality=subject.quality, usable=usable, target=target_of(subject), size_bytes=size)

    @property
    def is_best(self) -> bool:
        """Whether no variant of less quality can be better."""
        tokens, target = self.choice.setting.context_length, target_of(self.subject)
        placed = self.choice.tier is Tier.ALL or not self.subject.seen
        return self.choice.fits and placed and tokens >= min(target, BASE)


def draft_of(subject: Subject, *, variants: int) -> Draft:
    """The best that fits, or what is nearest to that.

    :raises InvalidOptionsError: what was said contradicts itself, or the engine has no such thing
    """
    search = search_of(subject)
    return Draft(subject=subject, choice=search.best() or search.nearest(), variants=variants)
