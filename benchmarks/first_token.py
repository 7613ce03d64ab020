"""From nothing to the first token: a load through the gateway, beside the bare engine in a process of its own.

python benchmarks/first_token.py [rounds] [backend ...] -- SmolLM2 in each backend's format, its files in the page cache
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from gateway_process import gateway, laid, request, spread, surroundings
from text.asking import Address, stream
from text.rivals import loop
from throughput import MODELS, path_of

BARE = {"llamaserver": "llama_cpp", "llamacpp": "llama_cpp", "transformers": "transformers", "onnx": "onnxruntime"}
IMPORTS = {"llama_cpp": "llama_cpp", "transformers": "torch, transformers", "onnxruntime": "onnxruntime"}


def bare(engine: str, path: Path) -> float:
    """Seconds from the start of a Python to its first token; llama-server's is llama_cpp's, for both are llama.cpp."""
    before = time.perf_counter()
    with loop(engine, path):
        return time.perf_counter() - before


def imported(engine: str) -> float:
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {IMPORTS[engine]}"], check=True)
    return time.perf_counter() - before


def loaded(url: str, backend: str) -> tuple[float, float]:
    """Seconds that a load takes, and until the first token of the question that follows at once."""
    before = time.perf_counter()
    load = {"model": MODELS[backend], "backend": backend, "context_length": 1024, "wait": True}
    status, answer = request(url, "POST", "/load_model", load)
    assert status == 200, answer
    load_s = time.perf_counter() - before
    address = Address(urlsplit(url).port or 0, answer["model"])
    first, _ = asyncio.run(stream(address, "Count from 1 to 100.", tokens=1))
    status, _ = request(url, "POST", "/unload_model", {"wait": True})
    assert status == 200
    return load_s, load_s + first


def measure(backend: str, rounds: int) -> None:
    path, engine = path_of(backend), BARE[backend]
    with gateway() as (_, url, data):
        laid(path, data / "models", MODELS[backend])
        bare(engine, path)  # warm: all files are in the page cache
        loaded(url, backend)
        rows = [(imported(engine), bare(engine, path), *loaded(url, backend)) for _ in range(rounds)]
    imports, alone, loads, firsts = ([row[place] for row in rows] for place in range(4))
    ratio = statistics.median(b / a for a, b in zip(alone, firsts, strict=True))
    cells = [spread(values, "s", 1) for values in (imports, alone, loads, firsts)]
    print(f"| {backend} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)


def main() -> None:
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else 5
    print(surroundings())
    print("\n| backend | import alone | bare engine, first token | UML, loaded | UML, first token | ratio |")
    print("|---|---|---|---|---|---|")
    for backend in words or MODELS:
        measure(backend, rounds)
    print(surroundings())


if __name__ == "__main__":
    main()
