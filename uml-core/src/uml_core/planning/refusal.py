"""Why a load doesn't fit, in a sentence with the numbers, and the nearest that would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from uml_core.errors import InsufficientMemoryError
from uml_core.inspection.file import shown
from uml_core.planning.budgets import Budgets
from uml_core.planning.sizes import gigabytes, place
from uml_core.types import Budget, MemoryEstimate, Plan

MOST_HOLDERS = 5


def problem_of(model_id: str, context_length: int, estimate: MemoryEstimate, budgets: Budgets) -> str:
    """``'X' with 8192 tokens of context needs 9.1 GB of memory, and 7.4 GB can be used``; empty if it fits."""
    lacking = [
        f"{gigabytes(budgets.needs(estimate, budget.device))} GB of {place(budget)}, and {_room(budget)}"
        for budget in budgets
        if budget.device in budgets.over(estimate)
    ]
    if not lacking:
        return ""
    context = f" with {context_length} tokens of context" if estimate.bytes_of("kv_cache") else ""
    return f"'{shown(model_id)}'{context} needs {'; '.join(lacking)}"


def way_out(would_fit: Mapping[str, Any]) -> str:
    """The end of that sentence."""
    if not would_fit:
        return "; close other programs, or load a smaller model or a smaller quantization: `uml recommend` names some"
    words = {
        "model": "'{}'",
        "context_length": "{} tokens of context",
        "parallel": "{} at once",
        "cache_type": "a cache of {}",
        "device": "{} as its device",
    }
    said = [words[name].format(value) for name, value in would_fit.items() if name in words]
    said += [f"{name}={value}" for name, value in would_fit.get("options", {}).items()]
    return f"; it would fit with {' and '.join(said)}"


def refusal(plan: Plan) -> InsufficientMemoryError:
    """The error for a plan that doesn't fit, with what it takes and who holds the rest."""
    assert plan.memory is not None
    memory = plan.memory
    lines = [line for budget in memory.budgets for line in _lines(budget, memory.estimate)]
    error = InsufficientMemoryError(memory.problem, detail=lines)
    error.plan = plan
    return error


def _room(budget: Budget) -> str:
    if budget.budget_bytes:
        return f"{gigabytes(budget.budget_bytes)} GB can be used"
    return "nothing of it is free"


def _lines(budget: Budget, estimate: MemoryEstimate) -> Iterator[str]:
    there = estimate.on(budget.device)
    parts = ", ".join(f"{part.kind.replace('_', ' ')} {gigabytes(part.size_bytes)}" for part in there)
    needs = f"{gigabytes(estimate.bytes_on(budget.device))} GB needed ({parts})" if parts else "nothing needed"
    freed = f" + {gigabytes(budget.freed_bytes)} that will be freed" if budget.freed_bytes else ""
    free = f"{gigabytes(budget.free_bytes)} GB free{freed} - {gigabytes(budget.margin_bytes)} kept free"
    yield f"{place(budget)}: {needs}; {free} of {gigabytes(budget.total_bytes)}"
    held = [f"{one.name} (pid {one.pid}) {gigabytes(one.held_bytes)} GB" for one in budget.holders[:MOST_HOLDERS]]
    if budget.unseen_bytes:
        held.append(f"{gigabytes(budget.unseen_bytes)} GB by processes not visible from here")
    if held:
        yield f"{place(budget)} is held by: {', '.join(held)}"
