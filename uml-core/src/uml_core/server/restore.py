"""After a start: the model that was loaded when the last gateway ended, if the settings want it back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from uml_core.errors import UMLError
from uml_core.types import LoadRequest

if TYPE_CHECKING:
    from uml_core.storage import Storage
    from uml_core.supervisor import Supervisor

log = logging.getLogger(__name__)


async def restore(supervisor: Supervisor, storage: Storage) -> str | None:
    """Ask for that load again, with its own options; the model's name, None if there is nothing to load.

    A load that fails is in the log and in the list of jobs; the gateway serves without it.
    """
    row = await storage.last_load()
    if row is None or supervisor.active() is not None:
        return None
    try:
        request = LoadRequest(**row["request"])
        await supervisor.submit(request)
    except (UMLError, TypeError, ValueError) as error:
        log.warning("the last model can't be restored: %s", error)
        return None
    log.info("restoring '%s'", request.model)
    return request.model
