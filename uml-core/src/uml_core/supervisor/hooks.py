"""Ask a backend in a thread, with a deadline: a plugin's fault must not look like one of the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

from uml_core.errors import ModelLoadError, UMLError
from uml_core.plugins import Plugins
from uml_core.types import Plan

HOOK_S = 10.0


async def ask_backend(plugins: Plugins, hook: str, *, plan: Plan, **arguments: Any) -> Any:
    """Call *hook* of the backend that *plan* names.

    :raises ModelLoadError: it did not answer in time, or raised something that is no :class:`UMLError`
    """
    call = asyncio.to_thread(plugins.ask, plan.backend, hook, plan=plan, **arguments)
    try:
        async with asyncio.timeout(HOOK_S):
            return await call
    except TimeoutError:
        raise ModelLoadError(f"backend '{plan.backend}' did not answer {hook} within {HOOK_S:.0f} s") from None
    except UMLError:
        raise
    except Exception as error:
        raise ModelLoadError(
            f"backend '{plan.backend}' failed in {hook} with {type(error).__name__}: {error}"
        ) from error
