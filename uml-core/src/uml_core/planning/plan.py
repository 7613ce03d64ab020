"""One plan for one load."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from uml_core.host import probe_host
from uml_core.planning.budgets import with_holders
from uml_core.planning.drafting import Drafting
from uml_core.planning.measured import profiles_here, speeds
from uml_core.planning.ranking import Candidate
from uml_core.planning.refusal import refusal
from uml_core.planning.selection import candidates
from uml_core.planning.subjects import Subjects
from uml_core.planning.threads import default_pair
from uml_core.plugins import Plugins
from uml_core.registry import Registry
from uml_core.settings import Settings
from uml_core.types import LoadRequest, Plan

NOTHING: Mapping[str, int] = MappingProxyType({})


@frozen
class Planner:
    """Makes plans. It blocks while files are read and backends are asked: call it in a thread."""

    plugins: Plugins
    registry: Registry
    settings: Settings

    def plan(
        self,
        request: LoadRequest,
        *,
        allow_path: bool = False,
        freed: Mapping[str, int] = NOTHING,
    ) -> Plan:
        """Decide how to load what *request* asks for; what it leaves open is as ``uml.toml`` says for that model.

        :param allow_path: the request's model may be the path of a file; never for what comes over HTTP
        :param freed: bytes that the switch frees, as measured of what it unloads: of ``cpu``, and by uuid of devices
        :raises InsufficientMemoryError: it doesn't fit, and *request* doesn't force it; its ``plan`` says what would
        :raises UMLError: it can't be done: the model, the backend or an option is the reason
        """
        plan = self.draft(request, allow_path=allow_path, freed=freed)
        if plan.memory is not None and plan.memory.problem and not plan.memory.forced:
            raise refusal(plan)
        return plan

    def draft(
        self,
        request: LoadRequest,
        *,
        allow_path: bool = False,
        freed: Mapping[str, int] = NOTHING,
        thorough: bool = False,
    ) -> Plan:
        """Decide, but where memory lacks say so in the plan: ``plan.memory`` has the problem and what would fit.

        :param thorough: it will be shown: the engine is asked although there is room enough, and so is who holds memory
        :raises UMLError: it can't be done: the model, the backend or an option is the reason
        """
        variants = self.registry.variants(request.model, allow_path=allow_path)
        host = probe_host(holders=thorough)
        subjects = Subjects(
            plugins=self.plugins,
            registry=self.registry,
            settings=self.settings,
            request=request,
            host=host,
            freed=freed,
        )
        plan = Drafting(subjects).plan(variants, thorough=thorough)
        if plan.memory is None or plan.memory.fits or thorough:
            return plan
        found = with_holders(plan.memory.budgets, probe_host(holders=True), freed=freed)
        return evolve(plan, memory=evolve(plan.memory, budgets=found))

    def backends(self, ref: str, *, allow_path: bool = False) -> list[Candidate]:
        """What every backend says of a model: the best first, with the reason; at the end those that can't load it.

        :param allow_path: *ref* may be the path of a file; never for what comes over HTTP
        :raises UMLError: there is no such model, or it can't be read
        """
        stored = self.registry.find(ref, allow_path=allow_path)
        model, host = self.registry.source(stored), probe_host()
        speed = speeds(profiles_here(self.registry, stored.id, model), default=default_pair(host))
        return candidates(self.plugins, model, host=host, settings=self.settings, speeds=speed)
