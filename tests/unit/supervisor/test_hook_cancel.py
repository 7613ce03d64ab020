"""A job that is cancelled in the very moment in which a backend answers is cancelled all the same."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from uml_core.supervisor.hooks import ask_backend
from uml_core.supervisor.probe import probe


class Backend:
    """Answers when it may."""

    def __init__(self):
        self.may_answer = threading.Event()

    def ask(self, backend, hook, **arguments):
        assert self.may_answer.wait(5)
        return "answer"


async def check_cancelled(task):
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        assert task.done()


@pytest.mark.parametrize("yields", range(8))
async def test_of_a_hook(yields):
    backend = Backend()
    task = asyncio.create_task(ask_backend(backend, "uml_launch_worker", plan=SimpleNamespace(backend="fake")))
    await asyncio.sleep(0.01)
    backend.may_answer.set()
    time.sleep(0.02)  # not asyncio's: the answer is to wait for the loop
    for _ in range(yields):
        await asyncio.sleep(0)
    await check_cancelled(task)


@pytest.mark.parametrize("yields", range(4))
async def test_of_a_probe(yields):
    answered = asyncio.get_running_loop().create_future()
    task_type = SimpleNamespace(name="text-generation", probe=lambda client: answered)
    plugins, plan = SimpleNamespace(tasks=lambda: [task_type]), SimpleNamespace(tasks=["text-generation"])
    task = asyncio.create_task(probe(plugins, plan, None, limit_s=5))
    await asyncio.sleep(0)
    answered.set_result(None)
    for _ in range(yields):
        await asyncio.sleep(0)
    await check_cancelled(task)
