"""NVIDIA's devices, asked in a side process with a time limit: nothing here ever waits for a driver that hangs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from uml_core.host.device_memory import DeviceMemory, DeviceRelease, DeviceUse, held_bytes, released
from uml_core.host.devices.nvidia import has_driver

__all__ = ("DeviceMemory", "DeviceRelease", "DeviceUse", "Devices", "has_driver", "held_bytes", "released")

PROBE = Path(__file__).with_name("nvml_probe.py")
ANSWER_S = 2.0
START_S = 10.0
"""For the first answer: without persistence mode the driver starts each device anew for whoever comes first."""
PAUSE_S = 30.0
END_S = 1.0
LINE_BYTES = 1 << 20


class Devices:
    """Asks a side process, which is started when there is something to ask, and lives until :meth:`close`.

    ``hung`` counts how often it was killed because it didn't answer in time; ``problem`` says why the last reading gave
    nothing. One that can't be killed while the driver holds it is left behind, and ends when the driver lets go of it.
    An object is for one event loop.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = (sys.executable, "-P", str(PROBE)),
        present: Callable[[], bool] = has_driver,
        answer_s: float = ANSWER_S,
        start_s: float = START_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.hung = 0
        self.problem: str | None = None
        self._command = tuple(command)
        self._present = present
        self._answer_s, self._start_s, self._pause_s = answer_s, start_s, pause_s
        self._process: asyncio.subprocess.Process | None = None
        self._stuck: list[asyncio.subprocess.Process] = []
        self._asked = 0
        self._not_before_s = 0.0
        self._lock = asyncio.Lock()

    async def read(self) -> DeviceMemory | None:
        """What each device holds now; None without a driver, or if it doesn't answer (then ``problem`` says why).

        Takes 2 seconds at most, the first time 10. After a failure of the side process it isn't asked for 30 seconds.
        """
        async with self._lock:
            if self._process is None and (time.monotonic() < self._not_before_s or not self._present()):
                return None
            limit_s = self._answer_s if self._process else self._start_s
            try:
                async with asyncio.timeout(limit_s):
                    answer = await self._ask(self._process or await self._start())
            except TimeoutError:
                self.hung += 1
                await self._give_up(f"NVIDIA's driver didn't answer in {limit_s:g} seconds")
            except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
                await self._give_up(f"the process that asks NVIDIA's driver failed: {error}")
            else:
                self.problem = answer.get("error")
                return None if self.problem else DeviceMemory(devices=tuple(answer["devices"]))
        return None

    async def close(self) -> None:
        """End the side process; takes 2 seconds at most."""
        async with self._lock:
            process, self._process = self._process, None
            if process and process.stdin:
                process.stdin.close()
                await self._wait_for(process)

    async def _start(self) -> asyncio.subprocess.Process:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        # In a session of its own: Ctrl-C is for the gateway, which needs one more answer for its last proof.
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=nothing, limit=LINE_BYTES, start_new_session=True
        )
        return self._process

    async def _ask(self, process: asyncio.subprocess.Process) -> Mapping[str, Any]:
        assert process.stdin
        assert process.stdout
        self._asked += 1
        process.stdin.write(b"%d\n" % self._asked)
        await process.stdin.drain()
        while line := await process.stdout.readline():
            answer = json.loads(line)
            if answer["id"] == self._asked:  # else it is for somebody who was cancelled while he waited
                return {**answer, "devices": [_use(device) for device in answer.get("devices", ())]}
        raise EOFError("it ended")

    async def _give_up(self, problem: str) -> None:
        self.problem = problem
        self._not_before_s = time.monotonic() + self._pause_s
        process, self._process = self._process, None
        if process:
            _kill(process)
            await self._wait_for(process)

    async def _wait_for(self, process: asyncio.subprocess.Process) -> None:
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await process.wait()
                return
            _kill(process)
        self._stuck.append(process)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _use(device: Mapping[str, Any]) -> DeviceUse:
    rows = device["processes"]
    return DeviceUse(
        index=device["index"],
        uuid=device["uuid"],
        name=device["name"],
        total_bytes=device["total"],
        used_bytes=device["used"],
        processes=None if rows is None else {int(pid): held for pid, held in rows.items()},
    )
