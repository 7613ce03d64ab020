"""Every backend's streams through the gateway, beside the engine's own server or a bare loop around it, in one run.

python benchmarks/throughput.py [rounds] [backend ...] -- SmolLM2 in each backend's format, 1, 4 and 16 streams at once
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from urllib.parse import urlsplit

from gateway_process import MODEL, gateway, laid, model_path, request, spread, surroundings
from text.asking import Address, together
from text.rivals import Rival, rival_of

STREAMS = (1, 4, 16)
MADE = Path.home() / ".cache" / "uml-dev" / "made"
MODELS = {
    "llamaserver": MODEL,
    "llamacpp": MODEL,
    "transformers": "SmolLM2-135M-Instruct",
    "onnx": "SmolLM2-135M-Instruct-onnx-genai-int4",
}


def path_of(backend: str) -> Path:
    """The model of a backend, as the tests have fetched or made it."""
    path = model_path() if MODELS[backend] == MODEL else MADE / MODELS[backend]
    if not path.exists():
        raise SystemExit(f"no model at {path}; run `nox -s tests` once")
    return path


def compare(backend: str, ours: Address, rival: Rival, rounds: int) -> None:
    print(
        f"\n| {backend}: streams | {rival.name}, tokens/s | through the gateway | ratio | first token, own | gateway |"
    )
    print("|---|---|---|---|---|---|")
    for count in STREAMS:
        rival.ask(count)  # warm, both of them
        together(ours, count)
        rows = [(rival.ask(count), together(ours, count)) for _ in range(rounds)]
        own, through = ([row[side].tokens_per_s for row in rows] for side in (0, 1))
        ratio = statistics.median(b / a for a, b in zip(own, through, strict=True))
        firsts = [statistics.median(row[side].first_s for row in rows) * 1000 for side in (0, 1)]
        print(
            f"| {count} | {spread(own, '', 1)} | {spread(through, '', 1)} | {ratio:.3f} "
            f"| {firsts[0]:.0f} ms | {firsts[1]:.0f} ms |",
            flush=True,
        )


def measure(backend: str, rounds: int) -> None:
    path = path_of(backend)
    with gateway() as (_, url, data):
        laid(path, data / "models", MODELS[backend])
        load = {"model": MODELS[backend], "backend": backend, "parallel": max(STREAMS), "context_length": 512}
        status, answer = request(url, "POST", "/load_model", {**load, "wait": True})
        assert status == 200, answer
        token = next(Path(data).glob("run/launch-*/token")).read_text()
        ours = Address(urlsplit(url).port or 0, answer["model"])
        with rival_of(backend, path, Address(answer["port"] or 0, answer["model"], token)) as rival:
            compare(backend, ours, rival, rounds)


def main() -> None:
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else 5
    print(surroundings())
    for backend in words or MODELS:
        measure(backend, rounds)
    print(surroundings())


if __name__ == "__main__":
    main()
