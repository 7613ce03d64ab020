"""Answer what NVIDIA's devices hold: a process of its own, because a call into a sick driver may never return.

Runs as ``python -P nvml_probe.py`` and imports only the standard library and ``pynvml`` (nvidia-ml-py). A line on
standard input is a question (its number), a line on standard output the answer as JSON: ``{"id": 1, "devices":
[{"index", "uuid", "name", "total", "used", "processes"}]}`` or ``{"id": 1, "error": "Driver Not Loaded"}``. Ends with
its parent: end of file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def main() -> None:
    """Answer until nobody asks any more."""
    ready = False
    for line in sys.stdin:
        answer: dict[str, Any] = {"id": int(line)}
        try:
            import pynvml

            if not ready:  # again and again until there is a driver
                pynvml.nvmlInit()
                ready = True
            answer["devices"] = list(read(pynvml))
        except Exception as error:  # noqa: BLE001 - pynvml's own, or that it is missing; the parent gets the reason
            answer["error"] = str(error) or type(error).__name__
        print(json.dumps(answer), flush=True)


def read(nvml: Any) -> Iterator[dict[str, Any]]:
    """Read each device; one that doesn't answer (fallen off the bus) is left out."""
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            total, used = _memory(nvml, device)
            yield {
                "index": index,
                "uuid": _text(nvml.nvmlDeviceGetUUID(device)),
                "name": _text(nvml.nvmlDeviceGetName(device)),
                "total": total,
                "used": used,
                "processes": processes(nvml, device, total),
            }
        except nvml.NVMLError:
            continue


def _memory(nvml: Any, device: Any) -> tuple[int, int]:
    """All and used bytes; (0, 0) for a device that has no memory of its own."""
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(device, version=nvml.nvmlMemory_v2)  # without what the driver reserves
    except (nvml.NVMLError, AttributeError, TypeError):  # an older driver, or an older pynvml
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(device)
        except nvml.NVMLError:
            return 0, 0
    total, used = int(memory.total), int(memory.used)
    return total, used if used <= total else 0  # more than there is: a negative number, wrapped around


def processes(nvml: Any, device: Any, total: int) -> dict[int, int] | None:
    """Bytes that each pid holds on *device*; None if the driver doesn't give them all."""
    ask: tuple[Callable[[Any], Iterable[Any]], ...] = (
        nvml.nvmlDeviceGetComputeRunningProcesses,
        nvml.nvmlDeviceGetGraphicsRunningProcesses,
    )
    found: dict[int, int] = {}
    told = 0
    for rows in ask:
        held: dict[int, int] = {}
        try:
            for row in rows(device):
                if row.usedGpuMemory is None or (total and row.usedGpuMemory > total):  # WDDM; or wrapped around
                    return None
                held[row.pid] = held.get(row.pid, 0) + int(row.usedGpuMemory)  # one row for each part of a split device
            told += 1
        except nvml.NVMLError:  # a device without graphics knows no graphics processes
            continue
        found.update({pid: max(size, found.get(pid, 0)) for pid, size in held.items()})  # in both lists: the same bytes
    return found if told else None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
