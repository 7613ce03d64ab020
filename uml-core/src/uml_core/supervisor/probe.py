"""The smallest answer there is, asked of a worker that has just loaded."""

from __future__ import annotations

import asyncio

from uml_core.errors import ModelLoadError
from uml_core.plugins import Plugins
from uml_core.supervisor.client import WorkerClient
from uml_core.types import Plan


async def probe(plugins: Plugins, plan: Plan, client: WorkerClient, *, limit_s: float) -> None:
    """Ask for one token, in the way of the first task of *plan* that knows how; a model without one passes.

    :raises ModelLoadError: there was no answer, none in time, or one of numbers that are none
    :raises WorkerCrashedError: it ended over it
    """
    task = next((task for task in plugins.tasks() if task.probe and task.name in plan.tasks), None)
    if task is None or task.probe is None:
        return
    try:
        async with asyncio.timeout(limit_s):
            await task.probe(client)
    except TimeoutError:
        raise ModelLoadError(
            f"model '{plan.model_id}' is loaded, but gave no token within {limit_s:g} s; if it is only slow, raise "
            "`probe_timeout_s` in [supervisor] of uml.toml"
        ) from None
