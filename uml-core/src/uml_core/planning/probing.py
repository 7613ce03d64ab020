"""Ask the engine itself what the chosen setting would take."""

from __future__ import annotations

import logging
import threading
from functools import partial

from uml_core.planning.asking import ask_within
from uml_core.plugins import Plugins
from uml_core.types import HostInfo, MemoryEstimate, Plan

PROBE_S = 15.0
KEPT = 32
log = logging.getLogger(__name__)


class Probes:
    """What engines said, by file and layout: a plan that is shown is mostly the plan that is loaded next."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], MemoryEstimate | None] = {}
        self._lock = threading.Lock()

    def known(self, plan: Plan) -> MemoryEstimate | None:
        """What was said of this very plan before."""
        return self._known.get(_key(plan))

    def ask(self, plugins: Plugins, plan: Plan, host: HostInfo) -> MemoryEstimate | None:
        """The parts that the plan's backend knows, None if it knows none, or has failed to tell within 15 seconds."""
        if (key := _key(plan)) in self._known:
            return self._known[key]
        found = _asked(plugins, plan, host)
        with self._lock:
            while len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = found
        return found


def _asked(plugins: Plugins, plan: Plan, host: HostInfo) -> MemoryEstimate | None:
    ask = partial(plugins.ask, plan.backend, "uml_estimate_memory", plan=plan, host=host)
    answer = ask_within(PROBE_S, ask, name=f"estimate: {plan.backend}")
    if answer is None:
        log.warning("backend '%s' did not say within %g seconds what memory the load takes", plan.backend, PROBE_S)
        return None
    if error := answer.exception():
        log.warning("backend '%s' failed in uml_estimate_memory", plan.backend, exc_info=error)
        return None
    found = answer.result()
    if found is not None and not isinstance(found, MemoryEstimate):
        log.warning("backend '%s' gave a %s and no MemoryEstimate", plan.backend, type(found).__name__)
        return None
    return found if found and found.parts else None


def _key(plan: Plan) -> tuple[object, ...]:
    try:
        stat = plan.model.path.stat()
        file = (stat.st_size, stat.st_mtime_ns)
    except OSError:
        file = (plan.model.size_bytes, 0)
    options = tuple(sorted((name, repr(value)) for name, value in (*plan.options.items(), *plan.settings.items())))
    return (plan.backend, plan.model.path, file, plan.context_length, plan.parallel, plan.placement, options)
