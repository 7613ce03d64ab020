"""Streams that can't be answered to their end: each says so, and the official client never takes one for whole."""

import concurrent.futures
import json
import signal
import threading
import time

import httpx
import openai
import psutil
import pytest

pytestmark = pytest.mark.engine
MODEL = "SmolLM2-135M-Instruct.Q4_1"
STORY = [{"role": "user", "content": "Write a long story about a robot who learns to paint."}]
LONG, SHORT = 3000, 8
WITHIN_S = 45.0


class Tale:
    """A long answer as the official client reads it; *at* a number of chunks something is done."""

    def __init__(self, gateway, at, strike):
        self.gateway = gateway
        self.at = at
        self.strike = strike
        self.chunks = []

    def read(self):
        stream = self.gateway.openai.chat.completions.create(
            model=MODEL, messages=STORY, max_tokens=LONG, temperature=0, stream=True
        )
        for chunk in stream:
            self.chunks.append(chunk)
            if len(self.chunks) == self.at:
                self.strike()
        return stream


def kill_engine(gateway):
    engine = psutil.Process(gateway.active()["pid"])
    assert gateway.process.pid in [parent.pid for parent in engine.parents()]
    engine.kill()


def unload(gateway):
    threading.Thread(target=httpx.post, args=(f"{gateway.url}/unload_model",), kwargs={"json": {}}).start()


STRIKES = {
    "worker_crashed": kill_engine,
    "cancelled": unload,
    "server_shutdown": lambda gateway: gateway.process.send_signal(signal.SIGTERM),
}


@pytest.mark.parametrize(
    ("backend", "code"), [*(("llamaserver", code) for code in STRIKES), ("llamacpp", "worker_crashed")]
)
def test_the_official_client_raises(gateway, backend, code):
    gateway.environment["UML_SUPERVISOR__DRAIN_TIMEOUT_S"] = "0.2"
    gateway.start().load(MODEL, backend=backend)
    tale = Tale(gateway, 8, lambda: STRIKES[code](gateway))
    with pytest.raises(openai.APIError) as raised:
        tale.read()
    assert raised.value.code == code
    assert raised.value.message
    assert len(tale.chunks) >= 8
    assert not any(chunk.choices and chunk.choices[0].finish_reason for chunk in tale.chunks)
    if code == "worker_crashed":
        answer = gateway.openai.chat.completions.create(model=MODEL, messages=STORY, max_tokens=4)
        assert answer.choices[0].message.content, "who asks again is served by the next worker"
        assert gateway.active()["restarts"] == 1


@pytest.mark.parametrize(("backend", "parallel"), [("llamaserver", 4), ("llamacpp", 1)])
def test_sigterm_with_four_streams(gateway, backend, parallel):
    gateway.environment["UML_SUPERVISOR__DRAIN_TIMEOUT_S"] = "8"
    gateway.start().load(MODEL, backend=backend, parallel=parallel, context_length=4096)
    offspring = gateway.offspring()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reading = []
        for tokens in (LONG, LONG, SHORT, SHORT):
            reading.append(pool.submit(last_frame, gateway, tokens))
            gateway.until(lambda: reading[-1].done() or gateway.active()["leases"] >= len(reading))
        begin = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        late = refused(gateway)
        ends = [one.result(60) for one in reading]
    assert gateway.process.wait(60) == 0
    assert time.monotonic() - begin < WITHIN_S
    ends = [end if end == "[DONE]" else json.loads(end)["error"]["code"] for end in ends]
    assert ends[:2] == ["server_shutdown"] * 2
    assert ends[2:] == ["[DONE]" if parallel > 1 else "server_shutdown"] * 2, "there was time for these, or they waited"
    assert late in {None, "server_shutdown"}
    assert psutil.wait_procs(offspring, timeout=2)[1] == []
    assert not gateway.file.exists()


def last_frame(gateway, tokens):
    body = {"model": MODEL, "messages": STORY, "max_tokens": tokens, "temperature": 0, "stream": True}
    with httpx.stream("POST", f"{gateway.url}/v1/chat/completions", json=body, timeout=90) as answer:
        if answer.status_code != 200:  # it had not begun
            return answer.read().decode()
        return [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")][-1]


def refused(gateway):
    """What a request is told that comes too late; None when nobody listens any more."""
    try:
        answer = httpx.post(
            f"{gateway.url}/v1/chat/completions", json={"model": MODEL, "messages": STORY, "max_tokens": 2}, timeout=30
        )
    except httpx.TransportError:
        return None
    return answer.json().get("error", {}).get("code", f"an answer, {answer.status_code}")
