"""The variants of a model that a request may mean, each with all that a search needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

from uml_core.errors import UMLError
from uml_core.planning.budgets import Budgets, budgets_of
from uml_core.planning.knobs import Knobs
from uml_core.planning.learned_memory import Lessons, device_names, engine_of, how_of
from uml_core.planning.measured import profiles_here, speeds
from uml_core.planning.memory_profile import MIB, profile_for
from uml_core.planning.options import plugin_settings
from uml_core.planning.quality import quality
from uml_core.planning.said import Said, said_of
from uml_core.planning.selection import Selection, select
from uml_core.planning.setting import Setting
from uml_core.planning.sizer import Learn, Sizer
from uml_core.planning.subject import Subject, allowed, seen_by
from uml_core.planning.threads import default_pair
from uml_core.planning.usable import require_usable
from uml_core.plugins import Plugins
from uml_core.registry import Registry
from uml_core.settings import ModelSettings, Settings
from uml_core.types import Device, HostInfo, LoadRequest, MemoryEstimate, ModelSource, StoredModel


@frozen(kw_only=True)
class Subjects:
    """Makes them, for one request at one moment."""

    plugins: Plugins
    registry: Registry
    settings: Settings
    request: LoadRequest
    host: HostInfo
    freed: Mapping[str, int]

    def of(self, variants: Sequence[StoredModel]) -> Iterator[Subject]:
        """Each variant that can be loaded, the best first.

        :raises UMLError: none can; that is the reason of the best of them
        """
        errors: list[UMLError] = []
        found = 0
        for stored in variants if len(variants) == 1 else self._ranked(variants, errors):
            try:
                yield self.one(stored)
                found += 1
            except UMLError as error:
                errors.append(error)
        if not found and errors:
            raise errors[-1]

    def one(self, stored: StoredModel) -> Subject:
        """Look at one variant.

        :raises UMLError: it can't be loaded: the file, the backend or an option is the reason
        """
        model = self.registry.source(stored)
        require_usable(stored.id, model, settings=self.settings)
        own = self.settings.models.get(stored.id, ModelSettings())
        chosen = self._chosen(stored, model, own)
        said = said_of(self.request, own, backend=chosen.backend, model=model)
        return self.told(stored, model, chosen, said)

    def told(self, stored: StoredModel, model: ModelSource, chosen: Selection, said: Said) -> Subject:
        """Put together what is known of it, with whatever is *said*."""
        seen = seen_by(chosen, self.host)
        devices = allowed(said.device, seen, host=self.host, backend=chosen.backend.name)
        profile = profile_for(devices, self.settings)
        return Subject(
            stored=stored,
            model=model,
            chosen=chosen,
            said=said,
            knobs=Knobs(chosen.backend, said.options, plugin_settings(chosen.backend, self.settings)),
            profile=profile,
            budgets=self.budgets(devices),
            sizer=Sizer(model, self._learn(model, chosen), isa=self.host.isa, serves=chosen.backend.parallel is None),
            seen=seen,
            unseen=tuple(device for device in self.host.devices if device not in seen),
            devices=devices,
            settings=self.settings,
        )

    def _ranked(self, variants: Sequence[StoredModel], errors: list[UMLError]) -> list[StoredModel]:
        """Without those that can't be read."""
        ranked: list[tuple[float, int, str, StoredModel]] = []
        for stored in variants:
            try:
                card = self.registry.card(stored)
            except UMLError as error:
                errors.append(error)
            else:
                ranked.append((-quality(card), card.size_bytes, stored.id, stored))
        return [stored for *_, stored in sorted(ranked, key=lambda one: one[:3])]

    def _chosen(self, stored: StoredModel, model: ModelSource, own: ModelSettings) -> Selection:
        wanted = self.request.backend or own.backend
        speed = speeds(profiles_here(self.registry, stored.id, model), default=default_pair(self.host))
        chosen = select(
            self.plugins,
            model,
            model_id=stored.id,
            host=self.host,
            settings=self.settings,
            wanted=wanted,
            speeds=speed,
        )
        by_file = wanted and not self.request.backend
        return evolve(chosen, reason="uml.toml names it for this model") if by_file else chosen

    def budgets(self, devices: Sequence[Device]) -> Budgets:
        """What there is for a load, in memory and on *devices*."""
        margin, profile = self.settings.memory.margin_mb, profile_for(devices, self.settings)
        bytes_free = None if margin is None else margin * MIB
        return budgets_of(self.host, devices, profile, freed=self.freed, margin_bytes=bytes_free)

    def _learn(self, model: ModelSource, chosen: Selection) -> Learn:
        backend = chosen.backend
        rows = self.registry.records.measurements(backend=backend.name)
        if not rows:
            return lambda estimate, _: (estimate, 0)
        lessons = Lessons(
            model=model,
            backend=backend.name,
            engine=engine_of(backend, plugin_settings(backend, self.settings)),
            measurements=rows,
            devices=device_names(self.host.devices),
        )

        def learn(estimate: MemoryEstimate, setting: Setting) -> tuple[MemoryEstimate, int]:
            how = how_of(setting.context_length, setting.parallel, setting.placement)
            return lessons.corrected(estimate, how)

        return learn
