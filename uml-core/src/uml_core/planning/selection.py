"""Which backend loads a model, and why that one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import field, frozen

from uml_core.errors import NoBackendError, SettingsError, UnknownBackendError
from uml_core.inspection.file import shown
from uml_core.planning.detection import detect
from uml_core.planning.options import plugin_settings
from uml_core.planning.ranking import Candidate, Ranking
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.types import BackendInfo, HostInfo, Match, ModelSource, Rejected

NOTHING: Mapping[str, float] = MappingProxyType({})


@frozen(kw_only=True)
class Selection:
    """The backend that was chosen; ``rejected`` has the sentence of each other one."""

    backend: BackendInfo
    match: Match
    reason: str
    rejected: Mapping[str, str] = field(factory=dict)


def select(
    plugins: Plugins,
    model: ModelSource,
    *,
    model_id: str,
    host: HostInfo,
    settings: Settings,
    wanted: str | None = None,
    speeds: Mapping[str, float] = NOTHING,
) -> Selection:
    """Ask every backend, one by one, and choose the best, as :class:`~uml_core.planning.ranking.Ranking` says.

    :param model_id: what the model is called in errors
    :param wanted: the name of the only backend that may be chosen
    :param speeds: tokens a second of the backends that were measured with this model on this machine
    :raises UnknownBackendError: there is no backend *wanted*
    :raises SettingsError: the table of the backend *wanted* is wrong
    :raises NoBackendError: none can load *model*, or not the one *wanted*; ``detail`` has each one's sentence
    """
    asked = candidates(plugins, model, host=host, settings=settings, wanted=wanted, speeds=speeds)
    if not asked or not isinstance(match := asked[0].answer, Match):
        readers = [one.name for one in asked if model.format in plugins.backends[one.name].formats]
        raise _none(model_id, model.format, asked, wanted=wanted, readers=readers)
    return Selection(
        backend=plugins.backends[asked[0].name],
        match=match,
        reason="it was asked for" if wanted else asked[0].reason,
        rejected={other.name: other.reason for other in asked[1:]},
    )


def candidates(
    plugins: Plugins,
    model: ModelSource,
    *,
    host: HostInfo,
    settings: Settings,
    wanted: str | None = None,
    speeds: Mapping[str, float] = NOTHING,
) -> list[Candidate]:
    """Every backend with its answer: the best first, then those that could too, then by name those that can't.

    :raises UnknownBackendError: there is no backend *wanted*
    :raises SettingsError: the table of the backend *wanted* is wrong
    """
    cards = plugins.backends
    if wanted is not None and wanted not in cards:
        known = ", ".join(sorted(cards)) or "none"
        raise UnknownBackendError(
            f"there is no backend '{shown(wanted)}' here (installed: {known}); see `uml plugins`", param="backend"
        )
    if wanted is not None:
        plugin_settings(cards[wanted], settings)
    asked = {wanted: cards[wanted]} if wanted else dict(sorted(cards.items()))
    answers = {name: _answer(plugins, card, model, host=host, settings=settings) for name, card in asked.items()}
    matches = {name: answer for name, answer in answers.items() if isinstance(answer, Match)}
    rejected = {name: answer for name, answer in answers.items() if isinstance(answer, Rejected)}
    ranked = Ranking(settings.plugins.prefer, speeds).rank(matches)
    return [*ranked, *(Candidate(name, answer, _sentence(answer)) for name, answer in rejected.items())]


def _answer(
    plugins: Plugins, card: BackendInfo, model: ModelSource, *, host: HostInfo, settings: Settings
) -> Match | Rejected:
    if model.format not in card.formats:
        return Rejected(f"reads {' and '.join(card.formats) or 'nothing'}, not {model.format}")
    try:
        table = plugin_settings(card, settings)
    except SettingsError as error:  # another backend may do
        return Rejected(error.message)
    return detect(plugins, card.name, model=model, host=host, settings=table)


def _sentence(answer: Rejected) -> str:
    return f"{answer.reason}; {answer.hint}" if answer.hint else answer.reason


def _none(
    model_id: str, format: str, asked: Sequence[Candidate], *, wanted: str | None, readers: Sequence[str]
) -> NoBackendError:
    name = shown(model_id)
    detail = [f"{candidate.name}: {candidate.reason}" for candidate in asked]
    if wanted:
        return NoBackendError(f"the backend '{wanted}' can't load '{name}'", detail=detail)
    if not readers:
        return NoBackendError(
            f"no backend is installed that reads {format}, so '{name}' can't be loaded; pip install one that does, the "
            "README names some",
            detail=detail,
        )
    return NoBackendError(f"no installed backend can load '{name}' (format '{format}')", detail=detail)
