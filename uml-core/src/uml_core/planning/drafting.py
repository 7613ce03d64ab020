"""From a request to a plan: the best that fits, why, and what it takes; or what is nearest, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from uml_core.planning.choice import BASE, Choice
from uml_core.planning.decisions import Decisions
from uml_core.planning.learned import Learned
from uml_core.planning.measured import profiles_here
from uml_core.planning.nearest import Nearest
from uml_core.planning.options import plugin_settings
from uml_core.planning.probing import Probes
from uml_core.planning.refusal import problem_of, way_out
from uml_core.planning.scoping import scope_of, target_of
from uml_core.planning.search import search_of
from uml_core.planning.setting import Tier
from uml_core.planning.subject import Subject
from uml_core.planning.subjects import Subjects
from uml_core.planning.threads import choose, said_pair
from uml_core.settings import ModelSettings
from uml_core.types import Decision, MemoryPlan, Plan, StoredModel

TIGHT = 0.6
"""The part of a budget from which on the engine is asked itself."""
PROBES = Probes()


Score = tuple[float, ...]


@frozen(kw_only=True)
class Draft:
    """One variant, what was chosen for it, and out of how many variants."""

    subject: Subject
    choice: Choice
    variants: int = 1

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


class Drafting:
    """Makes the plan for one request at one moment."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects

    def plan(self, variants: Sequence[StoredModel], *, thorough: bool) -> Plan:
        """Decide.

        :param thorough: the engine is asked although there is room enough
        :raises UMLError: no variant can be loaded, whatever the memory
        """
        draft = self._best(variants)
        plan = self._plan(draft)
        if draft.choice.fits and draft.subject.settings.memory.probe:
            draft, plan = self._exact(draft, plan, thorough=thorough)
        return plan if draft.choice.fits else self._refused(draft, plan, variants)

    def _best(self, variants: Sequence[StoredModel]) -> Draft:
        drafts: list[Draft] = []
        for subject in self._subjects.of(variants):
            drafts.append(draft := _draft(subject, len(variants)))
            if draft.is_best:
                break
        return max(drafts, key=lambda one: one.score)

    def _exact(self, draft: Draft, plan: Plan, *, thorough: bool) -> tuple[Draft, Plan]:
        """Put what the engine says in the formula's place; one step down if it doesn't fit, and not asked again.

        Where there's room enough it isn't asked, but what it said before, of a plan that was shown, counts.
        """
        subjects, subject, choice = self._subjects, draft.subject, draft.choice
        worth_it = thorough or subject.budgets.share(choice.sized.estimate) > TIGHT
        exact = PROBES.ask(subjects.plugins, plan, subjects.host) if worth_it else PROBES.known(plan)
        if exact is None:
            return draft, plan
        estimate = choice.sized.estimate.replaced(exact.parts)
        if subject.budgets.over(estimate):
            subject.sizer.corrected(choice.setting, estimate)
            again = _draft(subject, draft.variants)
        else:
            again = evolve(draft, choice=evolve(choice, sized=evolve(choice.sized, estimate=estimate)))
        return again, self._plan(again)

    def _refused(self, draft: Draft, plan: Plan, variants: Sequence[StoredModel]) -> Plan:
        """The plan with the reason why it doesn't fit, and what would."""
        subject, memory = draft.subject, plan.memory
        assert memory is not None
        others = () if len(variants) > 1 else self._others(subject.stored)
        fields = Nearest(self._subjects, subject).would_fit(others)
        problem = problem_of(plan.model_id, plan.context_length, memory.estimate, subject.budgets) + way_out(fields)
        forced = self._subjects.request.force
        risk = Decision(
            what="force",
            value="yes",
            reason="asked for, although it doesn't fit: the machine may become slow, or end this or another program",
            pinned=True,
        )
        decisions = (*plan.decisions, risk) if forced else plan.decisions
        memory = evolve(memory, problem=problem, would_fit=fields, forced=forced)
        return evolve(plan, memory=memory, decisions=decisions)

    def _others(self, stored: StoredModel) -> list[StoredModel]:
        models = self._subjects.registry.models()
        return [one for one in models if one.model_name == stored.model_name and one.id != stored.id]

    def _plan(self, draft: Draft) -> Plan:
        subject, choice, settings = draft.subject, draft.choice, self._subjects.settings
        stored, chosen, setting = subject.stored, subject.chosen, choice.setting
        own = settings.models.get(stored.id, ModelSettings())
        said = said_pair(self._subjects.request, own, settings)
        profiles = profiles_here(self._subjects.registry, stored.id, subject.model)
        (threads, spin), better = choose(said, profiles, backend=chosen.backend.name, host=self._subjects.host)
        reason = f"{chosen.reason}; {better.reason}" if better else chosen.reason
        return Plan(
            model_id=stored.id,
            model=subject.model,
            backend=chosen.backend.name,
            tasks=chosen.backend.tasks if chosen.match.tasks is None else chosen.match.tasks,
            context_length=setting.context_length,
            parallel=setting.parallel,
            threads=threads,
            spin=spin,
            options=subject.knobs.written(setting.placement, devices=subject.seen, experts=subject.has_experts),
            settings=plugin_settings(chosen.backend, settings),
            reason=reason,
            rejected=chosen.rejected,
            placement=setting.placement,
            decisions=(
                _model(draft),
                Decision(what="backend", value=chosen.backend.name, reason=chosen.reason),
                *Decisions(subject, choice).all(),
                _threads(threads, said[0], better),
            ),
            memory=MemoryPlan(
                profile=subject.profile.name,
                estimate=choice.sized.estimate,
                formula=choice.sized.formula,
                budgets=subject.budgets.budgets,
                loads=choice.sized.loads,
            ),
        )


def _draft(subject: Subject, variants: int) -> Draft:
    search = search_of(subject)
    return Draft(subject=subject, choice=search.best() or search.nearest(), variants=variants)


def _model(draft: Draft) -> Decision:
    reason = "asked for"
    if draft.variants > 1:
        fits = "the best" if draft.choice.fits else "the nearest to fitting"
        reason = f"{fits} of {draft.variants} variants, for this machine"
    return Decision(what="model", value=draft.subject.stored.id, reason=reason, pinned=draft.variants == 1)


def _threads(threads: int, said: int | None, better: Learned | None) -> Decision:
    reason = better.reason if better else "a core stays free for the rest of the machine"
    return Decision(what="threads", value=str(threads), reason="asked for" if said else reason, pinned=bool(said))
