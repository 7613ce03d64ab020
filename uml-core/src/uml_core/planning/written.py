"""A plan, written down."""

from __future__ import annotations

from uml_core.planning.decisions import Decisions
from uml_core.planning.draft import Draft
from uml_core.planning.learned import Learned
from uml_core.planning.measured import profiles_here
from uml_core.planning.options import plugin_settings
from uml_core.planning.subjects import Subjects
from uml_core.planning.threads import choose, said_pair
from uml_core.settings import ModelSettings
from uml_core.types import Decision, MemoryPlan, Plan


def plan_of(draft: Draft, subjects: Subjects) -> Plan:
    """Write down what was chosen; whether it fits is said by who asked."""
    subject, choice, settings = draft.subject, draft.choice, subjects.settings
    stored, chosen, setting = subject.stored, subject.chosen, choice.setting
    own = settings.models.get(stored.id, ModelSettings())
    wanted = subjects.request.backend or own.backend
    said = said_pair(subjects.request, own, settings)
    profiles = profiles_here(subjects.registry, stored.id, subject.model)
    (threads, spin), better = choose(said, profiles, backend=chosen.backend.name, host=subjects.host)
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
        options=subject.options(setting.placement),
        settings=plugin_settings(chosen.backend, settings),
        reason=reason,
        rejected=chosen.rejected,
        placement=setting.placement,
        decisions=(
            _model(draft),
            Decision(what="backend", value=chosen.backend.name, reason=chosen.reason, pinned=bool(wanted)),
            *Decisions(subject, choice).all(),
            _threads(threads, asked=subjects.request.threads, said=said[0], better=better),
        ),
        memory=MemoryPlan(
            profile=subject.profile.name,
            estimate=choice.sized.estimate,
            formula=choice.sized.formula,
            budgets=subject.budgets.budgets,
            loads=choice.sized.loads,
        ),
    )


def _model(draft: Draft) -> Decision:
    reason = "asked for"
    if draft.variants > 1:
        fits = "the best" if draft.choice.fits else "the nearest to fitting"
        reason = f"{fits} of {draft.variants} variants, for this machine"
    return Decision(what="model", value=draft.subject.stored.id, reason=reason, pinned=draft.variants == 1)


def _threads(threads: int, *, asked: int | None, said: int | None, better: Learned | None) -> Decision:
    reason = better.reason if better else "a core stays free for the rest of the machine"
    if said is not None:
        reason = "uml.toml says so" if asked is None else "asked for"
    return Decision(what="threads", value=str(threads), reason=reason, pinned=said is not None)
