"""From a request to a plan: the best that fits, why, and what it takes; or what is nearest, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from uml_core.planning.draft import Draft, draft_of
from uml_core.planning.nearest import Nearest
from uml_core.planning.probing import Probes
from uml_core.planning.refusal import problem_of, way_out
from uml_core.planning.subjects import Subjects
from uml_core.planning.written import plan_of
from uml_core.types import Decision, Plan, StoredModel

TIGHT = 0.6
"""The part of a budget from which on the engine is asked itself."""
RISK = Decision(
    what="force",
    value="yes",
    reason="asked for, although it doesn't fit: the machine may become slow, or end this or another program",
    pinned=True,
)
PROBES = Probes()


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
        plan = plan_of(draft, self._subjects)
        if draft.subject.settings.memory.probe and not draft.is_hopeless:
            draft, plan = self._exact(draft, plan, thorough=thorough)
        return plan if draft.choice.fits else self._refused(draft, plan, variants)

    def _best(self, variants: Sequence[StoredModel]) -> Draft:
        drafts: list[Draft] = []
        for subject in self._subjects.of(variants):
            drafts.append(draft := draft_of(subject, variants=len(variants)))
            if draft.is_best:
                break
        return max(drafts, key=lambda one: one.score)

    def _exact(self, draft: Draft, plan: Plan, *, thorough: bool) -> tuple[Draft, Plan]:
        """Put what the engine says in the formula's place, and decide again; it's not asked a second time.

        Where there's room enough it isn't asked, but what it said before, of a plan that was shown, counts.
        """
        subjects, subject, choice = self._subjects, draft.subject, draft.choice
        worth_it = thorough or draft.share > TIGHT
        exact = PROBES.ask(subjects.plugins, plan, subjects.host) if worth_it else PROBES.known(plan)
        if exact is None:
            return draft, plan
        estimate = choice.sized.estimate.replaced(subject.sizer.probed(choice.setting, exact.parts))
        subject.sizer.corrected(choice.setting, estimate)
        again = draft_of(subject, variants=draft.variants)
        if again.choice.setting == choice.setting:
            again = evolve(again, choice=evolve(again.choice, sized=evolve(choice.sized, estimate=estimate)))
        return again, plan_of(again, subjects)

    def _refused(self, draft: Draft, plan: Plan, variants: Sequence[StoredModel]) -> Plan:
        """The plan with the reason why it doesn't fit, and what would."""
        subject, memory = draft.subject, plan.memory
        assert memory is not None
        others = () if len(variants) > 1 else self._others(subject.stored)
        fields = Nearest(self._subjects, subject).would_fit(others)
        problem = problem_of(plan, memory.estimate, subject.budgets) + way_out(fields)
        forced = self._subjects.request.force
        decisions = (*plan.decisions, RISK) if forced else plan.decisions
        memory = evolve(memory, problem=problem, would_fit=fields, forced=forced)
        return evolve(plan, memory=memory, decisions=decisions)

    def _others(self, stored: StoredModel) -> list[StoredModel]:
        models = self._subjects.registry.models()
        return [one for one in models if one.model_name == stored.model_name and one.id != stored.id]
