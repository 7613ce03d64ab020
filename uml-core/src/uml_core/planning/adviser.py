"""Looks at every model of this disk, and says which fit and why the others don't."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from uml_core.errors import UMLError
from uml_core.inspection.file import shown
from uml_core.planning.advice import Advice, LeftOut, Recommendation
from uml_core.planning.expectation import Expectation, Measurement, expected, read_bytes
from uml_core.planning.measured import profiles_here, speed_of
from uml_core.planning.needs import needs_bytes
from uml_core.planning.option import Option
from uml_core.planning.reason import reason_of
from uml_core.planning.scoping import LEAST
from uml_core.planning.search import search_of
from uml_core.planning.sizes import amount
from uml_core.planning.subject import Subject
from uml_core.planning.subjects import Subjects
from uml_core.planning.task import WRITING, Wish
from uml_core.planning.threads import default_pair
from uml_core.planning.usable import require_usable
from uml_core.types import HostInfo, LoadRequest, ModelCard, StoredModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uml_core.planning.plan import Planner


class Adviser:
    """Advises once, as the machine is now."""

    def __init__(self, planner: Planner, wish: Wish, host: HostInfo, freed: Mapping[str, int]) -> None:
        self._planner = planner
        self._wish = wish
        self._host = host
        self._usual = default_pair(host)
        self._subjects = Subjects(
            plugins=planner.plugins,
            registry=planner.registry,
            settings=planner.settings,
            request=LoadRequest(model=""),
            host=host,
            freed=freed,
        )
        usable = [device for device in host.devices if not device.problem]
        self._budget_bytes = self._subjects.budgets(usable).total_bytes
        self._measurements: list[Measurement] = []
        self._left_out: list[LeftOut] = []

    def advise(self, limit: int) -> Advice:
        known = list(self._models())
        self._measurements = [one for stored, model in known for one in self._measured(stored, model)]
        able = [option for stored, model in known if (option := self._option(stored, model))]
        options = self._one_of_each(sorted(able, key=lambda option: option.order))
        for option in options[limit:]:
            self._leave_out(option.stored, f"would do, after {limit} better ones")
        return Advice(
            recommended=tuple(self._recommendation(option, options) for option in options[:limit]),
            left_out=tuple(sorted(self._left_out, key=lambda one: one.model_id)),
            budget_bytes=self._budget_bytes,
        )

    def _one_of_each(self, options: Sequence[Option]) -> list[Option]:
        """The best variant of each model."""
        best: dict[str, Option] = {}
        for option in options:
            first = best.setdefault(option.stored.model_name, option)
            if first is not option:
                self._leave_out(
                    option.stored, f"is another variant of '{shown(first.stored.id)}', which does better here"
                )
        return list(best.values())

    def _models(self) -> Iterator[tuple[StoredModel, ModelCard]]:
        for stored in self._planner.registry.models():
            try:
                yield stored, self._planner.registry.card(stored)
            except UMLError as error:
                self._leave_out(stored, f"can't be read: {error.message}")

    def _option(self, stored: StoredModel, model: ModelCard) -> Option | None:
        try:
            require_usable(stored.id, model, settings=self._planner.settings)
            return self._fitting(stored, model)
        except UMLError as error:
            self._leave_out(stored, error.message)
            return None

    def _fitting(self, stored: StoredModel, model: ModelCard) -> Option | None:
        """What no setting could make fit is not looked at any closer."""
        told = self._wish.why_not(model, model.tasks) if model.tasks else None
        if told is None and model.size_bytes > self._budget_bytes:
            told = _lacks(needs_bytes(model, context_length=LEAST), self._budget_bytes)
        if told is not None:
            self._leave_out(stored, told)
            return None
        return self._loadable(stored, self._subjects.one(stored))

    def _loadable(self, stored: StoredModel, subject: Subject) -> Option | None:
        model, chosen, search = subject.model, subject.chosen, search_of(subject)
        tasks = model.tasks or (chosen.backend.tasks if chosen.match.tasks is None else chosen.match.tasks)
        choice, told = search.best(), self._wish.why_not(model, tasks)
        needs = (choice or search.nearest()).sized.estimate.total_bytes
        if told is None and choice is None:
            told = _lacks(needs, subject.budgets.total_bytes)
        if told is not None:
            self._leave_out(stored, told)
            return None
        return Option(
            stored=stored,
            model=model,
            backend=chosen.backend.name,
            needs_bytes=needs,
            budget_bytes=subject.budgets.total_bytes,
            speed=self._expected(subject),
            writes=self._wish.task in WRITING or (self._wish.task is None and bool(WRITING.intersection(tasks))),
        )

    def _expected(self, subject: Subject) -> Expectation | None:
        backend = subject.chosen.backend.name
        profiles = profiles_here(self._planner.registry, subject.stored.id, subject.model)
        if measured := speed_of(profiles, backend, default=self._usual):
            return Expectation(tokens_per_s=measured, how="measured")
        known, has_device = self._measurements, bool(subject.devices)
        return expected(subject.model, backend, measurements=known, host=self._host, has_device=has_device)

    def _measured(self, stored: StoredModel, model: ModelCard) -> Iterator[Measurement]:
        profiles = profiles_here(self._planner.registry, stored.id, model)
        for backend in dict.fromkeys(profile.backend for profile in profiles):
            if speed := speed_of(profiles, backend, default=self._usual):
                size = read_bytes(model)
                yield Measurement(model_id=stored.id, backend=backend, read_bytes=size, tokens_per_s=speed)

    def _recommendation(self, option: Option, options: Sequence[Option]) -> Recommendation:
        speed = option.speed if option.speed and option.speed.how != "guessed" else None
        return Recommendation(
            model_id=option.stored.id,
            backend=option.backend,
            needs_bytes=option.needs_bytes,
            budget_bytes=option.budget_bytes,
            decode_tokens_per_s=speed.tokens_per_s if speed else None,
            measured=speed is not None and speed.how == "measured",
            reason=reason_of(
                option.model,
                place=options.index(option),
                slow=option.slow,
                writes=option.writes,
                speed=option.speed,
                needs_bytes=option.needs_bytes,
                budget_bytes=option.budget_bytes,
            ),
        )

    def _leave_out(self, stored: StoredModel, reason: str) -> None:
        self._left_out.append(LeftOut(model_id=stored.id, reason=reason))


def _lacks(needs_bytes: int, budget_bytes: int) -> str:
    return f"needs {amount(needs_bytes)}, and {amount(budget_bytes)} can be used"
