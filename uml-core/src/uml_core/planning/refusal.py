"""Why a load doesn't fit, in a sentence with the numbers, and the nearest that would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from uml_core.errors import InsufficientMemoryError
from uml_core.inspection.file import shown
from uml_core.planning.budgets import Budgets
from uml_core.planning.sizes import amount, amounts, place
from uml_core.types import Budget, MemoryEstimate, Plan

MOST_HOLDERS = 5


def problem_of(plan: Plan, estimate: MemoryEstimate, budgets: Budgets) -> str:
    """``'X' with 8192 tokens of context needs 9.1 GB of memory, and 7.4 GB can be used``; empty if it fits."""
    over = budgets.over(estimate)
    lacking = [_lacking(budget, budgets.needs(estimate, budget.device)) for budget in budgets if budget.device in over]
    if not lacking:
        return ""
    needs = ", and ".join(lacking[0]) if len(lacking) == 1 else " and ".join(f"{one} ({room})" for one, room in lacking)
    context = f" with {plan.context_length} tokens of context" if estimate.bytes_of("kv_cache") else ""
    many = f", {plan.parallel} at once," if context and plan.parallel > 1 else ""
    return f"'{shown(plan.model_id)}'{context}{many} needs {needs}"


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


def _lacking(budget: Budget, needs_bytes: int) -> tuple[str, str]:
    needs, room = amounts(needs_bytes, budget.budget_bytes)
    return f"{needs} of {place(budget)}", f"{room} can be used" if budget.budget_bytes else "none of it can be used"


def _lines(budget: Budget, estimate: MemoryEstimate) -> Iterator[str]:
    there = estimate.on(budget.device)
    parts = ", ".join(f"{part.kind.replace('_', ' ')} {amount(part.size_bytes)}" for part in there)
    needs = f"{amount(estimate.bytes_on(budget.device))} needed ({parts})" if parts else "nothing needed"
    freed = f" + {amount(budget.freed_bytes)} that will be freed" if budget.freed_bytes else ""
    free = f"{amount(budget.free_bytes)} free{freed} - {amount(budget.margin_bytes)} kept free"
    yield f"{place(budget)}: {needs}; {free} of {amount(budget.total_bytes)}"
    held = [f"{one.name} (pid {one.pid}) {amount(one.held_bytes)}" for one in budget.holders[:MOST_HOLDERS]]
    if budget.unseen_bytes:
        held.append(f"{amount(budget.unseen_bytes)} by processes not visible from here")
    if held:
        yield f"{place(budget)} is held by: {', '.join(held)}"
