"""What a command finds by itself, without a gateway: the plugins, and the models on this machine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from uml_core.server.compose import plugins_of, registry_of

if TYPE_CHECKING:
    from uml_core.plugins import Plugins
    from uml_core.registry import Registry
    from uml_core.settings import Settings


class Warnings(logging.Handler):
    """Tells the person what a log would tell an operator."""

    def emit(self, record: logging.LogRecord) -> None:
        from uml_core.cli.output import plain, say

        say(f"warning: {plain(record.getMessage())}", style="yellow")


def plugins_here(settings: Settings, *, warn: bool = True) -> Plugins:
    """Load the plugins.

    :param warn: say which ones failed; a backend that is missed would else be missed without a word
    """
    logger = logging.getLogger("uml_core")
    logger.addHandler(logging.NullHandler())  # what fails later is an error that the command itself tells
    handler = Warnings(logging.WARNING if warn else logging.CRITICAL)
    logger.addHandler(handler)
    try:
        return plugins_of(settings)
    finally:
        logger.removeHandler(handler)


def registry_here(settings: Settings, *, warn: bool = True) -> Registry:
    """The models on this machine.

    :param warn: say which plugins failed
    """
    return registry_of(settings, plugins_here(settings, warn=warn))
