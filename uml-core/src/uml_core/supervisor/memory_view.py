"""What a load takes, in short: for each view of its job, so that who watches it is told before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uml_core.types import MemoryPlan


def brief(memory: MemoryPlan) -> dict[str, Any]:
    """The sums, and on each device where it takes something what there is; sizes in bytes."""
    estimate = memory.estimate
    budgets = {budget.device: budget for budget in memory.budgets}
    return {
        "fits": memory.fits,
        "forced": memory.forced,
        "would_fit": dict(memory.would_fit),
        "loads": memory.loads,
        "needs_bytes": estimate.total_bytes,
        "low_bytes": estimate.low_bytes,
        "high_bytes": estimate.high_bytes,
        "devices": [
            {
                "device": device,
                "name": budgets[device].name if device in budgets else device,
                "needs_bytes": estimate.bytes_on(device),
                "budget_bytes": budgets[device].budget_bytes if device in budgets else None,
            }
            for device in estimate.devices
        ],
    }
