"""The model that is measured, and what of it: found without the gateway, for it's the same disk."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from uml_core.bench.candidates import candidates
from uml_core.bench.scope import Effort, Scope
from uml_core.cli.here import plugins_here
from uml_core.errors import NoBackendError, UnknownBackendError
from uml_core.host import probe_host
from uml_core.host.machine import machine_name
from uml_core.planning.threads import default_pair, said_pair
from uml_core.server.compose import planner_of, registry_of
from uml_core.settings import ModelSettings, Settings
from uml_core.types import LoadRequest, Match, Profile

if TYPE_CHECKING:
    from uml_core.planning import Planner
    from uml_core.planning.ranking import Candidate
    from uml_core.types import ModelSource, StoredModel


@frozen(kw_only=True)
class Subject:
    """The model, with what every backend says of it; ``ref`` is how whoever loads it is told."""

    planner: Planner
    ref: str
    stored: StoredModel
    model: ModelSource
    answers: Sequence[Candidate] = field(factory=tuple)

    @classmethod
    def find(cls, settings: Settings, ref: str, *, over_http: bool) -> Self:
        """Find it.

        :raises UMLError: there is no such model, it can't be read, or it may not be loaded
        """
        plugins = plugins_here(settings, warn=over_http)  # else whoever loads has warned already
        planner = planner_of(settings, plugins, registry_of(settings, plugins))
        stored = planner.registry.find(ref, allow_path=not over_http)
        return cls(
            planner=planner,
            ref=stored.id if over_http else ref,
            stored=stored,
            model=planner.registry.source(stored),
            answers=planner.backends(ref, allow_path=not over_http),
        )

    def keep(self, profile: Profile) -> None:
        """Know it here, too, so that the next plan goes by it."""
        self.planner.registry.records.put_profile(profile)


def scope_of(
    subject: Subject,
    *,
    backends: Sequence[str],
    context_length: int | None,
    effort: Effort,
    learns: bool,
    all_learn: bool,
) -> Scope:
    """What is to be measured.

    :param backends: only these; all that can load the model when empty
    :param learns: also try other threads, unless ``uml.toml`` says how many
    :raises UnknownBackendError: there is no backend of that name
    :raises NoBackendError: none of them can load the model
    """
    request = LoadRequest(model=subject.ref, context_length=context_length)
    settings, host = subject.planner.settings, probe_host()
    said = said_pair(request, settings.models.get(subject.stored.id, ModelSettings()), settings)
    usual = default_pair(host)
    if said != (None, None):
        usual, learns = (said[0] or usual[0], said[1]), False
    chosen = _chosen(subject, backends)
    return Scope(
        request=request,
        model_id=subject.stored.id,
        model_bytes=subject.model.size_bytes,
        machine=machine_name(),
        backends=chosen,
        usual=usual,
        pairs=tuple(candidates(host, default=usual)) if learns else (),
        all_learn=all_learn,
        effort=effort,
        engines={name: engine_of(subject, name) for name in chosen},
    )


def _chosen(subject: Subject, backends: Sequence[str]) -> tuple[str, ...]:
    known = sorted(answer.name for answer in subject.answers)
    for name in backends:
        if name not in known:
            raise UnknownBackendError(
                f"there is no backend '{name}' here (installed: {', '.join(known) or 'none'}); see `uml plugins`",
                param="backend",
            )
    able = [answer.name for answer in subject.answers if isinstance(answer.answer, Match)]
    chosen = tuple(name for name in able if not backends or name in backends)
    if not chosen:
        reasons = [f"{answer.name}: {answer.reason}" for answer in subject.answers]
        raise NoBackendError(f"no backend here can load '{subject.stored.id}'", detail=reasons)
    return chosen


def engine_of(subject: Subject, backend: str) -> str:
    """The engine and, if it's a package of this Python, its version."""
    engine = subject.planner.plugins.backends[backend].engine
    try:
        return f"{engine} {importlib.metadata.version(engine)}"
    except (importlib.metadata.PackageNotFoundError, ValueError):  # a program, or another Python's
        return engine
