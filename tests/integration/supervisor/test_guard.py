"""The guard, with real processes: whatever happens to whom, nothing of a worker is left."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from uml_core.supervisor.process import Ended, WorkerProcess, marked

GRANDCHILD = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(300)
"""
IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(300)"
)
HOLDS_GIL = "import ctypes; print('up', flush=True); ctypes.PyDLL(None).sleep(300)"


@pytest.fixture
def output():
    return []


@pytest.fixture
def start(tmp_path, output):
    """Start Python code as a worker; its launch id is the test's folder."""

    async def start(code: str) -> WorkerProcess:
        return await WorkerProcess.start(
            [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)],
            environment={"PATH": os.environ["PATH"], "UML_LAUNCH_ID": tmp_path.name},
            folder=tmp_path,
            descriptors=[],
            launch_id=tmp_path.name,
            on_output=output.append,
        )

    return start


async def until(condition, limit_s: float = 10.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def test_exit_code_and_output_are_reported(start, output, tmp_path):
    process = await start("print('last words', flush=True); raise SystemExit(3)")
    assert await process.exited == Ended(3, None)
    assert b"last words" in b"".join(output)
    await process.gone
    assert marked(tmp_path.name) == []


async def test_a_signal_is_reported(start):
    process = await start("import os; os.kill(os.getpid(), 11)")
    assert await process.exited == Ended(None, signal.SIGSEGV)
    await process.gone


async def test_a_program_that_is_not_there_is_a_sentence(tmp_path, output):
    process = await WorkerProcess.start(
        ["/nonexistent/engine"],
        environment={},
        folder=tmp_path,
        descriptors=[],
        launch_id="none",
        on_output=output.append,
    )
    assert (await process.exited).code == 127
    await process.gone
    assert b"can't start /nonexistent/engine" in b"".join(output)


async def test_term_reaches_the_engine(start, output):
    process = await start("import time; print('up', flush=True); time.sleep(300)")
    await until(lambda: output)
    process.terminate()
    assert await process.exited == Ended(None, signal.SIGTERM)
    await process.gone


async def test_kill_ends_an_engine_that_ignores_term(start, output):
    process = await start(IGNORES_TERM)
    await until(lambda: output)
    process.terminate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(process.exited), 0.3)
    process.kill()
    assert await process.exited == Ended(None, signal.SIGKILL)
    await process.gone


async def test_kill_ends_an_engine_that_holds_the_gil(start, output):
    process = await start(HOLDS_GIL)
    await until(lambda: output)
    process.kill()
    await asyncio.wait_for(process.gone, 5)


async def test_a_grandchild_in_another_session_dies_with_the_engine(start, tmp_path):
    process = await start(GRANDCHILD + "time.sleep(0.3)")
    await until(lambda: len(marked(tmp_path.name)) >= 3)  # guard, engine, grandchild
    await asyncio.wait_for(process.gone, 5)
    assert marked(tmp_path.name) == []


async def test_killing_the_guard_leaves_nothing(start, tmp_path):
    process = await start(GRANDCHILD + "time.sleep(300)")
    await until(lambda: len(marked(tmp_path.name)) >= 3)
    os.kill(process._guard.pid, signal.SIGKILL)
    await asyncio.wait_for(process.gone, 10)
    assert (await process.exited).signal == signal.SIGKILL
    assert marked(tmp_path.name) == []


PARENT = """
import asyncio, sys
from pathlib import Path
from uml_core.supervisor.process import WorkerProcess

async def main():
    engine = [sys.executable, "-I", "-S", "-c", {engine!r}]
    await WorkerProcess.start(engine, environment={{"UML_LAUNCH_ID": {mark!r}}}, folder=Path("."), descriptors=[],
                              launch_id={mark!r}, on_output=lambda data: None)
    await asyncio.sleep(300)

asyncio.run(main())
"""


@pytest.mark.parametrize("engine", [HOLDS_GIL, IGNORES_TERM, GRANDCHILD + "time.sleep(300)"])
async def test_killing_the_parent_leaves_nothing(engine, tmp_path):
    mark = f"parent-{tmp_path.name}"
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(engine=engine, mark=mark)], cwd=tmp_path)
    try:
        await until(lambda: len(marked(mark)) >= (3 if "fork" in engine else 2))
        await asyncio.sleep(0.1)
    finally:
        parent.kill()
        parent.wait()
    await until(lambda: not marked(mark), limit_s=2.0)


async def test_the_parent_killed_at_any_moment_of_the_start_leaves_nothing(tmp_path):
    """Ten moments between fork and ready; the guard may not even have run its first line."""
    for step in range(10):
        mark = f"moment-{step}-{tmp_path.name}"
        code = PARENT.format(engine="import time; time.sleep(300)", mark=mark)
        parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
        guards = psutil.Process(parent.pid)
        with contextlib.suppress(psutil.Error, AssertionError):
            await until(guards.children, limit_s=5)
        await asyncio.sleep(step * 0.008)
        parent.kill()
        parent.wait()
        await until(lambda mark=mark: not marked(mark), limit_s=2.0)


def test_the_guard_imports_only_the_standard_library():
    guard = Path(sys.modules["uml_core.supervisor.process"].GUARD)
    done = subprocess.run([sys.executable, "-I", "-S", str(guard)], capture_output=True, text=True, check=False)
    assert "ValueError" in done.stderr, "it starts without site-packages, and only misses its arguments"
