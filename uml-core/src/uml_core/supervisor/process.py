"""One worker process behind its guard, seen from the parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import psutil
from attrs import frozen

import uml_core

EXIT_NEWS_S = 1.0
"""How long after a worker's connection broke the news of its end may take."""

GUARD = Path(uml_core.__file__).with_name("guard.py")


@frozen
class Ended:
    """How the engine ended: its exit code, or the signal that killed it."""

    code: int | None
    signal: int | None


class WorkerProcess:
    """The guard, the engine and whatever that starts.

    ``exited`` is done when the engine has ended, ``gone`` when the guard says that nothing of it is left.
    Must be started from the thread of the event loop: Linux ties the guard to the thread that forked it.
    """

    def __init__(
        self, guard: subprocess.Popen[bytes], control: int, launch_id: str, on_started: Callable[[int], None]
    ) -> None:
        self.pid: int | None = None
        self.exited: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._guard = guard
        self._control = control
        self._launch_id = launch_id
        self._on_started = on_started
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        descriptors: Sequence[int],
        launch_id: str,
        on_output: Callable[[bytes], None],
        on_started: Callable[[int], None] = lambda _: None,
    ) -> WorkerProcess:
        """Start *argv* in *folder*; it inherits *descriptors*, which stay open here.

        :param on_started: called with the engine's pid
        :raises OSError: the guard could not be started (no memory, no process left)
        """
        control_end, control = os.pipe()
        report, report_end = os.pipe()
        output, output_end = os.pipe()
        flags = ["--parent", str(os.getpid()), "--control", str(control_end), "--report", str(report_end)]
        for descriptor in descriptors:
            flags += ["--close", str(descriptor)]
        try:
            # Blocks for a few ms. asyncio's own way would fork in a thread on some loops: PDEATHSIG forbids that.
            guard = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-I", "-S", str(GUARD), *flags, "--", *argv],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output_end,
                stderr=output_end,
                pass_fds=(control_end, report_end, *descriptors),
                start_new_session=True,
            )
        except BaseException:
            for descriptor in (control, report, output):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (control_end, report_end, output_end):
                os.close(descriptor)
        process = cls(guard, control, launch_id, on_started)
        # The log first: the last words must be in it when the report says that the engine has ended.
        read_output = process._spawn(_drain(output, on_output))
        process._spawn(process._follow(report, read_output))
        return process

    def terminate(self) -> None:
        """Ask the engine's group to end (TERM)."""
        self._order(b"T")

    def abort(self) -> None:
        """Have the engine end with a dump of its stacks (ABRT), if it can."""
        self._order(b"A")

    def kill(self) -> None:
        """Kill the whole tree, adopted children included."""
        self._order(b"K")

    def tree(self) -> list[int]:
        """Pids of the engine and its descendants."""
        if self.pid is None:
            return []
        with contextlib.suppress(psutil.Error):
            engine = psutil.Process(self.pid)
            return [self.pid, *(child.pid for child in engine.children(recursive=True))]
        return []

    def _order(self, order: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._control, order)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _follow(self, report: int, read_output: asyncio.Task[None]) -> None:
        """Read the guard's report to its end, then make sure that the end is one."""
        clean = False
        ended = Ended(None, signal.SIGKILL)
        async for line in _lines(report):
            event = json.loads(line)
            match event["event"]:
                case "started":
                    self.pid = event["pid"]
                    self._on_started(event["pid"])
                case "exited":
                    ended = Ended(event["code"], event["signal"])
                    await asyncio.wait([read_output], timeout=0.25)
                    self.exited.set_result(ended)
                case "gone":
                    clean = True
        await asyncio.to_thread(self._guard.wait)
        with contextlib.suppress(OSError):
            os.close(self._control)
        self._control = -1
        if not clean:  # the guard was killed: the engine got SIGKILL by PDEATHSIG, its grandchildren may live
            await asyncio.to_thread(kill_marked, self._launch_id)
        if not self.exited.done():
            self.exited.set_result(ended)
        await asyncio.wait([read_output], timeout=1.0)
        read_output.cancel()
        self.gone.set_result(None)


def marked(launch_id: str) -> list[psutil.Process]:
    """Every process of this user whose environment has that launch id, wherever it hides."""
    mark = f"UML_LAUNCH_ID={launch_id}"
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and mark == f"UML_LAUNCH_ID={process.environ().get('UML_LAUNCH_ID')}":
                found.append(process)
    return found


def kill_marked(launch_id: str, *, tries: int = 50) -> None:
    """Kill every process of a launch, and what those start meanwhile."""
    for _ in range(tries):
        survivors = marked(launch_id)
        for process in survivors:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _, alive = psutil.wait_procs(survivors, timeout=0.2)
        if not survivors and not alive:
            return


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader, transport


async def _drain(descriptor: int, on_output: Callable[[bytes], None]) -> None:
    reader, transport = await _reader(descriptor)
    try:
        while data := await reader.read(65536):
            on_output(data)
    finally:
        transport.close()


async def _lines(descriptor: int) -> AsyncIterator[bytes]:
    reader, transport = await _reader(descriptor)
    try:
        async for line in reader:
            yield line
    finally:
        transport.close()
