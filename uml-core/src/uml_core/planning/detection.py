"""Ask one backend about one model."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from uml_core.environments.fit import misfit
from uml_core.planning.asking import ask_within
from uml_core.plugins import Plugins
from uml_core.types import HostInfo, Match, ModelSource, Rejected

DETECT_S = 10.0
log = logging.getLogger(__name__)


def detect(
    plugins: Plugins, backend: str, *, model: ModelSource, host: HostInfo, settings: dict[str, Any]
) -> Match | Rejected:
    """Ask *backend* whether it can load *model*; whatever it does, there is an answer, within 10 seconds.

    An interpreter that its settings name is looked at first: another one's workers may not understand this UML.
    """
    ask = partial(_ask, plugins, backend, model=model, host=host, settings=settings)
    answer = ask_within(DETECT_S, ask, name=f"detect: {backend}")
    if answer is None:
        return Rejected(f"did not say within {DETECT_S:g} seconds whether it can load the model")
    if error := answer.exception():
        log.warning("backend '%s' failed in uml_detect_backend", backend, exc_info=error)
        return Rejected(f"failed to look at the model: {str(error) or type(error).__name__}")
    return _checked(answer.result(), model)


def _ask(plugins: Plugins, backend: str, *, settings: dict[str, Any], **asked: Any) -> object:
    card = next((card for card in plugins.cards if card.backend and card.backend.name == backend), None)
    unfit = misfit(card, settings) if card else None
    return unfit or plugins.ask(backend, "uml_detect_backend", settings=settings, **asked)


def _checked(answer: object, model: ModelSource) -> Match | Rejected:
    if answer is None:
        return Rejected(f"says that this {model.format} file is not for it")
    if not isinstance(answer, Match | Rejected):
        return Rejected(f"gave a {type(answer).__name__} and no Match; tell its makers")
    return answer
