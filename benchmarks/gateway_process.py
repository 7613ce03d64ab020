"""A gateway in a process of its own, for the benchmarks; not a benchmark itself."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MODEL = "SmolLM2-135M-Instruct.Q4_1"


def model_path() -> Path:
    """The real model: what UML_TEST_MODEL names, or what the tests have fetched."""
    named = os.environ.get("UML_TEST_MODEL")
    path = Path(named) if named else Path.home() / ".cache" / "uml-dev" / "models" / f"{MODEL}.gguf"
    if not path.exists():
        raise SystemExit(f"no model at {path}; run `nox -s tests` once, or set UML_TEST_MODEL")
    return path


@contextlib.contextmanager
def gateway(**environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Start `uml serve` on a folder of its own; gives the process, its URL and its data folder."""
    with tempfile.TemporaryDirectory(prefix="uml-bench-") as folder:
        data = Path(folder)
        (data / "models").mkdir()
        (data / "models" / f"{MODEL}.gguf").symlink_to(model_path())
        own = {"UML_DATA_DIR": folder, "UML_CONFIG": f"{folder}/uml.toml", **environment}
        process = subprocess.Popen(
            [sys.executable, "-m", "uml_core", "serve", "--port", "0"],
            env={**os.environ, **own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process, wait_ready(process, data / "run" / "gateway.json"), data
        finally:
            process.terminate()
            process.wait(60)


def laid(path: Path, models: Path, name: str) -> None:
    """Put a model into a models folder, without a copy of its files; links to folders are not followed there."""
    if path.is_dir():
        shutil.copytree(path, models / name, copy_function=_link)
    elif not (models / f"{name}.gguf").exists():
        (models / f"{name}.gguf").symlink_to(path)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def wait_ready(process: subprocess.Popen[bytes], file: Path) -> str:
    while True:
        if process.poll() is not None:
            raise SystemExit(f"the gateway ended with code {process.returncode}")
        with contextlib.suppress(OSError, ValueError, KeyError):
            url: str = json.loads(file.read_text())["url"]
            if request(url, "GET", "/livez")[0] == 200:
                return url
        time.sleep(0.005)


def request(
    url: str, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ""
) -> tuple[int, Any]:
    """One request, with a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
    try:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data[:1] in {b"{", b"["} else data
    finally:
        connection.close()


def spread(values: Sequence[float], unit: str = "ms", scale: float = 1000.0) -> str:
    """Median with minimum and maximum."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle * scale:.1f} {unit} ({low * scale:.1f}-{high * scale:.1f}, n={len(values)})"


def timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def surroundings() -> str:
    """What else the machine was doing."""
    load = ", ".join(f"{part:.2f}" for part in os.getloadavg())
    return f"{os.cpu_count()} cores, load average {load}, Python {sys.version.split()[0]}"
