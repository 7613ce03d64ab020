"""A plan in the words of the HTTP face and of ``--json``: what is decided and why, what it takes, how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import asdict

from uml_core.planning.budgets import Budgets
from uml_core.types import HOST

if TYPE_CHECKING:
    from uml_core.types import Budget, LoadRequest, MemoryEstimate, MemoryPart, MemoryPlan, Plan

View = dict[str, Any]


def plan_view(plan: Plan, load: LoadRequest) -> View:
    """The whole plan; nothing in it tells where on the disk the model or an engine lies.

    :param load: what loads exactly this
    """
    memory = plan.memory
    return {
        "model": plan.model_id,
        "backend": plan.backend,
        "fits": memory is None or memory.fits,
        "problem": (memory.problem or None) if memory else None,
        "would_fit": dict(memory.would_fit) if memory else {},
        "forced": bool(memory and memory.forced),
        "tasks": list(plan.tasks),
        "context_length": plan.context_length,
        "parallel": plan.parallel,
        "threads": plan.threads,
        "spin": plan.spin,
        "options": {name: value for name, value in plan.options.items() if value is not None},
        "placement": asdict(plan.placement),
        "reason": plan.reason,
        "rejected": dict(plan.rejected),
        "decisions": [asdict(decision) for decision in plan.decisions],
        "memory": memory_view(memory) if memory else None,
        "load": load_body(load),
    }


def memory_view(memory: MemoryPlan) -> View:
    """What it takes against what there is, device by device; sizes in bytes."""
    estimate, known = memory.estimate, {budget.device for budget in memory.budgets}
    return {
        "profile": memory.profile,
        "loads": memory.loads,
        **_size(estimate),
        "devices": [
            *(_device(budget, memory) for budget in memory.budgets),
            *({"device": name, **_needs(name, estimate)} for name in estimate.devices if name not in known),
        ],
    }


def parts_view(memory: MemoryPlan, measured: tuple[MemoryPart, ...]) -> View:
    """What it was to take, and what it was measured to take: None where nobody has measured that yet.

    :param measured: at most one part for each device and kind
    """
    found = {(part.device, part.kind): part.size_bytes for part in measured}
    planned = {(part.device, part.kind): part for part in memory.estimate.parts}
    return {
        "profile": memory.profile,
        "loads": memory.loads,
        "forced": memory.forced,
        **_size(memory.estimate),
        "measured_bytes": sum(found.values()) if found else None,
        "parts": [
            {"device": device, **_part(planned.get((device, kind)), kind), "measured_bytes": found.get((device, kind))}
            for device, kind in {**planned, **found}
        ],
    }


def load_body(request: LoadRequest) -> View:
    """The body of ``POST /load_model`` that asks for it."""
    said = asdict(request, recurse=False) | {"options": dict(request.options) or None, "force": request.force or None}
    return {name: value for name, value in said.items() if value is not None}


def _device(budget: Budget, memory: MemoryPlan) -> View:
    sharers = [one.device for one in memory.budgets if one.unified] if budget.device == HOST else []
    missing = Budgets(memory.budgets).over(memory.estimate)
    return {
        "device": budget.device,
        "name": budget.name,
        "unified": budget.unified,
        **_needs(budget.device, memory.estimate),
        "shared_bytes": sum(memory.estimate.bytes_on(device) for device in sharers),
        "budget_bytes": budget.budget_bytes,
        "missing_bytes": missing.get(budget.device, 0),
        "total_bytes": budget.total_bytes,
        "free_bytes": budget.free_bytes,
        "freed_bytes": budget.freed_bytes,
        "margin_bytes": budget.margin_bytes,
        "holders": [asdict(holder) for holder in budget.holders],
        "unseen_bytes": budget.unseen_bytes,
    }


def _needs(device: str, estimate: MemoryEstimate) -> View:
    parts = estimate.on(device)
    return {
        "needs_bytes": sum(part.size_bytes for part in parts),
        "low_bytes": sum(part.low_bytes for part in parts),
        "high_bytes": sum(part.high_bytes for part in parts),
        "parts": [_part(part, part.kind) for part in parts],
    }


def _size(estimate: MemoryEstimate) -> Mapping[str, int]:
    return {
        "needs_bytes": estimate.total_bytes,
        "low_bytes": estimate.low_bytes,
        "high_bytes": estimate.high_bytes,
    }


def _part(part: MemoryPart | None, kind: str) -> View:
    names = ("size_bytes", "low_bytes", "high_bytes", "source")
    return {"kind": kind, **{name: getattr(part, name, None) for name in names}}
