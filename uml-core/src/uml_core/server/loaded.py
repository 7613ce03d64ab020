"""What the slot holds, in the words of the HTTP face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from uml_core.server.plan_view import parts_view
from uml_core.types import WorkerState

if TYPE_CHECKING:
    from uml_core.server.performance import Performance
    from uml_core.supervisor import Active

Status = Literal["unloaded", "loading", "loaded"]
_STATUS: dict[WorkerState, Status] = {
    WorkerState.LAUNCHING: "loading",
    WorkerState.LOADING: "loading",
    WorkerState.PROBING: "loading",
    WorkerState.READY: "loaded",
    WorkerState.BUSY: "loaded",
    WorkerState.DRAINING: "loaded",
}


def status_of(model_id: str, active: Active | None) -> dict[str, Status]:
    """Whether that model is the one in the slot, and usable."""
    mine = active is not None and active.plan.model_id == model_id
    return {"value": _STATUS.get(active.state, "unloaded") if mine and active else "unloaded"}


def description(active: Active, performance: Performance) -> dict[str, Any]:
    """The body of ``GET /active_model``."""
    plan = active.plan
    return {
        "model": plan.model_id,
        "type": next(iter(plan.tasks), None),
        "backend": plan.backend,
        "state": str(active.state),
        "port": active.port,
        "pid": active.pid,
        "context_length": plan.context_length,
        "token_limit": plan.context_length,
        "parallel": plan.parallel,
        "threads": plan.threads,
        "spin": plan.spin,
        "options": {name: value for name, value in plan.options.items() if value is not None},
        "generation": active.generation,
        "leases": active.leases,
        "progress": active.progress.part if active.progress else None,
        "since": active.since.isoformat(),
        "restarts": active.restarts,
        "health": active.health,
        "memory": parts_view(plan.memory, active.measured) if plan.memory else None,
        "performance": performance.summary(active.generation),
    }
