"""One load through xllamacpp's server, as the worker makes it; the case as JSON in, what it holds as JSON out."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import xllamacpp

from estimating.buffers import buffers
from estimating.memory import held

LOUD = 4
"""So much is told that the sizes of the buffers are among it."""


def main() -> None:
    case: dict[str, Any] = json.loads(sys.argv[1])
    log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - the engine writes to it until the end
    answer = os.dup(1)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    empty = held(case["model"])
    server = xllamacpp.Server(_parameters(case))
    count = min(case["batch"], case["context_length"] - 8)
    for sequence in range(case["parallel"]):
        _ask(server.listening_address, sequence, count)
    used = held(case["model"])
    log.seek(0)
    with os.fdopen(answer, "w") as out:
        out.write(json.dumps({"empty": empty, "used": used, **buffers(log)}) + "\n")
    os._exit(0)


def _parameters(case: dict[str, Any]) -> Any:
    filled = xllamacpp.CommonParams()
    filled.model.path = case["model"]
    filled.n_ctx, filled.n_parallel = case["context_length"] * case["parallel"], case["parallel"]
    filled.n_batch = filled.n_ubatch = case["batch"]
    filled.cpuparams.n_threads = filled.cpuparams_batch.n_threads = os.cpu_count() or 1
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    filled.hostnames, filled.port = ["127.0.0.1"], port
    filled.verbosity = LOUD
    filled.cache_ram_mib, filled.fit_params, filled.ui, filled.offline = 0, False, False, True
    kinds = xllamacpp.ggml_type
    filled.cache_type_k = kinds[f"GGML_TYPE_{case['cache_type_k'].upper()}"]
    filled.cache_type_v = kinds[f"GGML_TYPE_{case['cache_type_v'].upper()}"]
    return filled


def _ask(address: str, sequence: int, count: int) -> None:
    """A prompt of *count* tokens, as numbers, and one token after it."""
    prompt = [(index + sequence) * 7 % 900 + 50 for index in range(count)]
    body = {"prompt": prompt, "n_predict": 1, "id_slot": sequence, "cache_prompt": False}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/completion", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=300) as answer:
        answer.read()


if __name__ == "__main__":
    main()
