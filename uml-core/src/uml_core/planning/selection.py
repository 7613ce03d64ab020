"""Which backend loads a model, and why that one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from uml_core.errors import NoBackendError, SettingsError, UnknownBackendError
from uml_core.inspection.file import shown
from uml_core.planning.detection import detect
from uml_core.planning.options import plugin_settings
from uml_core.plugins import Plugins
from uml_core.settings import Settings
from uml_core.types import BackendInfo, HostInfo, Match, ModelSource, Rejected


@frozen(kw_only=True)
class Selection:
    """The backend that was chosen; ``rejected`` has the sentence of each other one."""

    backend: BackendInfo
    match: Match
    reason: str
    rejected: Mapping[str, str] = field(factory=dict)


def select(
    plugins: Plugins, model: ModelSource, *, host: HostInfo, settings: Settings, wanted: str | None = None
) -> Selection:
    """Ask every backend, one by one, and choose the best.

    The highest level wins; a tie is settled by ``[plugins] prefer``, then by name.

    :param wanted: the name of the only backend that may be chosen
    :raises UnknownBackendError: there is no backend *wanted*
    :raises SettingsError: the table of the backend *wanted* is wrong
    :raises NoBackendError: none can load *model*, or not the one *wanted*; ``detail`` has each one's sentence
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
    if not matches:
        raise _none(model, answers, wanted=wanted)
    best, reason = _best(matches, settings.plugins.prefer)
    others = {name: _sentence(answer) for name, answer in answers.items() if name != best}
    return Selection(
        backend=cards[best], match=matches[best], reason="it was asked for" if wanted else reason, rejected=others
    )


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


def _best(matches: Mapping[str, Match], prefer: Sequence[str]) -> tuple[str, str]:
    if len(matches) == 1:
        return next(iter(matches)), "it is the only one that can"
    level = max(match.level for match in matches.values())
    top = sorted(name for name, match in matches.items() if match.level == level)
    if len(top) == 1:
        return top[0], f"it suits the model best ({level.name.lower()})"
    for name in prefer:
        if name in top:
            return name, f"it is preferred in uml.toml to {_listed(top, name)}"
    return top[0], f"by name, for {_listed(top, top[0])} would do as well; `prefer` in [plugins] of uml.toml decides"


def _listed(names: Sequence[str], chosen: str) -> str:
    return " and ".join(f"'{name}'" for name in names if name != chosen)


def _sentence(answer: Match | Rejected) -> str:
    if isinstance(answer, Match):
        return f"could load it too ({answer.level.name.lower()}: {answer.reason})"
    return f"{answer.reason}; {answer.hint}" if answer.hint else answer.reason


def _none(model: ModelSource, answers: Mapping[str, Match | Rejected], *, wanted: str | None) -> NoBackendError:
    name = shown(model.path.name)
    detail = [f"{backend}: {_sentence(answer)}" for backend, answer in answers.items()]
    if wanted:
        return NoBackendError(f"the backend '{wanted}' can't load '{name}'", detail=detail)
    if not answers:
        return NoBackendError(
            f"no backend is installed that could load '{name}'; pip install one that reads {model.format}, "
            "the README names some"
        )
    return NoBackendError(f"no installed backend can load '{name}' (format '{model.format}')", detail=detail)
