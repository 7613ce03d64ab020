"""What can't be waited for with a real socket: a reader that takes nothing for a minute."""

import asyncio
import json
from pathlib import Path

import pytest

from uml_core.types import ModelSource, Plan
from uml_core.worker.app import App
from uml_core.worker.engine import EngineThread

SOURCE = ModelSource(path=Path("m"), format="gguf", files=(), size_bytes=0)
PLAN = Plan(model_id="m", model=SOURCE, backend="b", tasks=(), context_length=1)


class Endless:
    def chat(self, request):
        try:
            while True:
                yield "x"
        finally:
            self.closed = True


@pytest.fixture
def engine():
    thread = EngineThread(lambda plan, progress: Endless(), PLAN, failed=lambda error: pytest.fail(str(error)))
    thread.start()
    yield thread
    thread.stop()
    thread.join(5)


async def test_a_reader_that_stalls_loses_its_answer(engine, caplog):
    body = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    messages = [{"type": "http.request", "body": json.dumps(body).encode()}]
    sent = []

    async def receive():
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)
        if len(sent) > 2:
            await asyncio.Event().wait()

    while engine.engine is None:
        await asyncio.sleep(0.001)
    scope = {"method": "POST", "path": "/v1/chat/completions", "headers": [(b"authorization", b"Bearer t")]}
    await App(engine, PLAN, "t", stall_s=0.05)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"] + ["http.response.body"] * 2
    assert "a reader took nothing for 0.05 s" in caplog.text
    while not getattr(engine.engine, "closed", False):
        await asyncio.sleep(0.001)
