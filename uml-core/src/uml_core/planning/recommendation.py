"""Which of the models on this disk fits this machine best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from uml_core.errors import UMLError
from uml_core.host import probe_host
from uml_core.host.machine import device_names
from uml_core.planning.expectation import Expectation, Measurement, expected, read_bytes
from uml_core.planning.measured import profiles_here, speed_of, speeds
from uml_core.planning.needs import needs_bytes
from uml_core.planning.quality import quality
from uml_core.planning.reason import reason_of
from uml_core.planning.selection import select
from uml_core.planning.task import WRITING, Wish, wish_of
from uml_core.planning.threads import default_pair
from uml_core.planning.usable import require_usable
from uml_core.types import HostInfo, ModelCard, ModelSource, StoredModel

if TYPE_CHECKING:
    from uml_core.planning.plan import Planner

READING_TOKENS_PER_S = 7.0
"""As fast as people read."""


@frozen(kw_only=True)
class Recommendation:
    """A model that fits, and why it is where it is.

    ``decode_tokens_per_s`` is None where nothing is known of the speed; ``measured`` says that this model was measured
    on this machine, else it is an estimate from others that were.
    """

    model_id: str
    backend: str
    needs_bytes: int
    budget_bytes: int
    decode_tokens_per_s: float | None
    measured: bool
    reason: str


@frozen(kw_only=True)
class LeftOut:
    """A model that can't be recommended, and why not: the rest of a sentence that begins with its name."""

    model_id: str
    reason: str


@frozen(kw_only=True)
class Advice:
    """The recommended models, the best first, and all that were left out."""

    recommended: tuple[Recommendation, ...]
    left_out: tuple[LeftOut, ...]
    budget_bytes: int

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.recommended)


@frozen(kw_only=True)
class _Option:
    """A model that could be loaded here."""

    stored: StoredModel
    model: ModelCard
    backend: str
    needs_bytes: int
    speed: Expectation | None
    writes: bool

    @property
    def slow(self) -> bool:
        return self.writes and self.speed is not None and self.speed.tokens_per_s < READING_TOKENS_PER_S

    @property
    def order(self) -> tuple[bool, float, str]:
        """A speed to read along first, then the more capable; among slow ones the faster first."""
        speed = self.speed.tokens_per_s if self.speed else 0.0
        return self.slow, -(speed if self.slow else quality(self.model)), self.stored.id


def recommend(planner: Planner, *, task: str | None = None, limit: int = 5, freed_bytes: int = 0) -> Advice:
    """Say which models on this disk fit this machine best; reads headers that aren't known yet.

    The most capable one that answers at reading speed (7 tokens/s) comes first, by parameters and bits per weight.

    :param task: a word such as ``chat`` or ``embeddings``, or a pipeline tag; anything when absent
    :param limit: how many at most; the others are left out with that reason
    :param freed_bytes: the memory that is free once what is loaded now is unloaded
    :raises BadRequestError: there is no such task
    """
    return _Adviser(planner, wish_of(task), probe_host(), freed_bytes).advise(limit)


class _Adviser:
    def __init__(self, planner: Planner, wish: Wish, host: HostInfo, freed_bytes: int) -> None:
        self._planner = planner
        self._wish = wish
        self._host = host
        self._budget_bytes = min(host.free_memory_bytes + freed_bytes, host.memory_bytes)
        self._measurements: list[Measurement] = []
        self._left_out: list[LeftOut] = []

    def advise(self, limit: int) -> Advice:
        known = list(self._models())
        self._measurements = [one for stored, model in known for one in self._measured(stored, model)]
        options = [option for stored, model in known if (option := self._option(stored, model))]
        options.sort(key=lambda option: option.order)
        for option in options[limit:]:
            self._leave_out(option.stored, f"would do, after {limit} better ones")
        return Advice(
            recommended=tuple(self._recommendation(option, options) for option in options[:limit]),
            left_out=tuple(sorted(self._left_out, key=lambda one: one.model_id)),
            budget_bytes=self._budget_bytes,
        )

    def _models(self) -> Iterator[tuple[StoredModel, ModelCard]]:
        for stored in self._planner.registry.models():
            try:
                yield stored, self._planner.registry.card(stored)
            except UMLError as error:
                self._leave_out(stored, f"can't be read: {error.message}")

    def _option(self, stored: StoredModel, model: ModelCard) -> _Option | None:
        try:
            require_usable(stored.id, model, settings=self._planner.settings)
            return self._fitting(stored, model)
        except UMLError as error:
            self._leave_out(stored, error.message)
            return None

    def _fitting(self, stored: StoredModel, model: ModelCard) -> _Option | None:
        needs = needs_bytes(model, context_length=self._planner.settings.context_length)
        told = self._wish.why_not(model, model.tasks) if model.tasks else None
        if told is None and needs > self._budget_bytes:
            told = f"needs {_gb(needs)} GB, and {_gb(self._budget_bytes)} GB are free"
        if told is not None:
            self._leave_out(stored, told)
            return None
        return self._loadable(stored, self._planner.registry.source(stored), needs)

    def _loadable(self, stored: StoredModel, model: ModelSource, needs: int) -> _Option | None:
        own = self._planner.settings.models.get(stored.id)
        profiles = profiles_here(self._planner.registry, stored.id, model)
        chosen = select(
            self._planner.plugins,
            model,
            host=self._host,
            settings=self._planner.settings,
            wanted=own.backend if own else None,
            speeds=speeds(profiles, default=default_pair(self._host)),
        )
        backend = chosen.backend.name
        tasks = model.tasks or (chosen.backend.tasks if chosen.match.tasks is None else chosen.match.tasks)
        if told := self._wish.why_not(model, tasks):
            self._leave_out(stored, told)
            return None
        speed = self._expected(model, backend, speed_of(profiles, backend, default=default_pair(self._host)))
        writes = self._wish.task in WRITING or (self._wish.task is None and bool(WRITING.intersection(tasks)))
        return _Option(stored=stored, model=model, backend=backend, needs_bytes=needs, speed=speed, writes=writes)

    def _expected(self, model: ModelCard, backend: str, measured: float | None) -> Expectation | None:
        if measured:
            return Expectation(tokens_per_s=measured, how="measured")
        return expected(
            model, backend, measurements=self._measurements, host=self._host, has_device=bool(device_names())
        )

    def _measured(self, stored: StoredModel, model: ModelCard) -> Iterator[Measurement]:
        profiles, usual = profiles_here(self._planner.registry, stored.id, model), default_pair(self._host)
        for backend in dict.fromkeys(profile.backend for profile in profiles):
            if speed := speed_of(profiles, backend, default=usual):
                size = read_bytes(model)
                yield Measurement(model_id=stored.id, backend=backend, read_bytes=size, tokens_per_s=speed)

    def _recommendation(self, option: _Option, options: Sequence[_Option]) -> Recommendation:
        speed = option.speed if option.speed and option.speed.how != "guessed" else None
        return Recommendation(
            model_id=option.stored.id,
            backend=option.backend,
            needs_bytes=option.needs_bytes,
            budget_bytes=self._budget_bytes,
            decode_tokens_per_s=speed.tokens_per_s if speed else None,
            measured=speed is not None and speed.how == "measured",
            reason=reason_of(
                option.model,
                place=options.index(option),
                slow=option.slow,
                writes=option.writes,
                speed=option.speed,
                needs_bytes=option.needs_bytes,
                budget_bytes=self._budget_bytes,
            ),
        )

    def _leave_out(self, stored: StoredModel, reason: str) -> None:
        self._left_out.append(LeftOut(model_id=stored.id, reason=reason))


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
