"""From nothing to the first token, against the engine alone; the gateway's start, idle CPU and memory.

python benchmarks/lifecycle.py [rounds]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import psutil
from gateway_process import MODEL, gateway, model_path, request, spread, surroundings, timed

ENGINES = {
    "llamaserver": """
import sys, json, urllib.request, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.n_ctx, p.n_parallel, p.ui, p.port = sys.argv[1], 2048, 1, False, 18777
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[2])
server = xllamacpp.Server(p)
body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}).encode()
urllib.request.urlopen(urllib.request.Request(server.listening_address + "/v1/chat/completions", body,
                                              {"Content-Type": "application/json"})).read()
print("first", flush=True)
import os; os._exit(0)
""",
    "llamacpp": """
import sys
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx=2048, n_threads=int(sys.argv[2]), n_threads_batch=int(sys.argv[2]), verbose=False)
model.create_chat_completion([{"role": "user", "content": "Hi"}], max_tokens=1)
print("first", flush=True)
import os; os._exit(0)
""",
}


def threads() -> int:
    return max(1, (psutil.cpu_count(logical=False) or 1) - 1)


def alone(backend: str) -> float:
    """Process start to first token, without UML."""

    def work() -> None:
        command = [sys.executable, "-c", ENGINES[backend], str(model_path()), str(threads())]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return timed(work)


def through_uml(url: str, backend: str) -> float:
    """Request to load, until the first token is here."""
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}

    def work() -> None:
        load = {"model": MODEL, "backend": backend, "context_length": 2048, "wait": True}
        status, answer = request(url, "POST", "/load_model", load)
        assert status == 200, answer
        status, answer = request(url, "POST", "/v1/chat/completions", chat)
        assert status == 200, answer

    seconds = timed(work)
    assert request(url, "POST", "/unload_model", {})[0] == 200
    return seconds


def first_token(rounds: int) -> None:
    print("\n| load to first token | engine alone | through UML | budget 1.15 x + 0.4 s | within |")
    print("|---|---|---|---|---|")
    with gateway() as (_, url, _):
        for backend in ENGINES:
            own, ours = [], []
            for _ in range(rounds):  # side by side, so that what else runs meets both
                own.append(alone(backend))
                ours.append(through_uml(url, backend))
            budget = 1.15 * statistics.median(own) + 0.4
            within = "yes" if statistics.median(ours) <= budget else "no"
            print(f"| {backend} | {spread(own)} | {spread(ours)} | {budget * 1000:.0f} ms | {within} |")


def start(rounds: int) -> None:
    ready = []
    for _ in range(rounds):
        before = time.perf_counter()
        with gateway():
            ready.append(time.perf_counter() - before)
    print(f"| gateway ready (process start to /livez) | {spread(ready)} | <= 1000 ms |")


def idle(seconds: float = 10.0) -> None:
    with gateway() as (process, url, _):
        own = psutil.Process(process.pid)
        for state in ("empty", "with a model loaded"):
            if state != "empty":
                assert request(url, "POST", "/load_model", {"model": MODEL, "wait": True})[0] == 200
            time.sleep(1)
            before = sum(own.cpu_times()[:2])
            time.sleep(seconds)
            used = (sum(own.cpu_times()[:2]) - before) / seconds * 100
            memory = own.memory_info().rss / 1e6
            print(f"| idle, {state} | CPU {used:.2f} %, RSS {memory:.0f} MB | ~0 %, <= 100 MB |")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(surroundings())
    print("| gateway | measured | budget |\n|---|---|---|")
    start(rounds)
    idle()
    first_token(rounds)
    print(surroundings())


if __name__ == "__main__":
    main()
