"""How long `uml --help` takes, against a Python that does nothing, and what it imports.

    python benchmarks/startup.py [--runs 15] [--json]

Budget: 0.3 s for `uml --help`, and none of the heavy packages below is imported by it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

BUDGET_S = 0.3
UML = ["-m", "uml_core"]
HEAVY = (
    "pydantic", "fastapi", "starlette", "sqlalchemy", "uvicorn", "structlog", "rich", "psutil", "httptools",
    "torch", "llama_cpp", "xllamacpp", "onnxruntime", "exllamav2", "transformers", "numpy",
)  # fmt: skip
CASES = {
    "python -c pass": ["-c", "pass"],
    "import uml_core": ["-c", "import uml_core"],
    "import typer": ["-c", "import typer"],
    "uml --version": [*UML, "--version"],
    "uml --help": [*UML, "--help"],
    "uml run --help": [*UML, "run", "--help"],
    "uml list --json": [*UML, "list", "--json"],
}


def timed_s(arguments: Sequence[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def imported(arguments: Sequence[str]) -> list[str]:
    """The modules that a run imports, outermost packages only."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], check=True, capture_output=True, text=True)
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return sorted({name.partition(".")[0] for name in names[1:]})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for arguments in CASES.values():
        timed_s(arguments)  # bytecode is written, files are cached
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(asked.runs):  # one after the other, so that what else runs strikes all alike
        for name, arguments in CASES.items():
            times[name].append(timed_s(arguments))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    base_s = medians["python -c pass"]
    heavy = [name for name in imported(CASES["uml --help"]) if name in HEAVY]
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_average": os.getloadavg()[0],
        "runs": asked.runs,
        "median_s": {name: round(value, 4) for name, value in medians.items()},
        "ratio_to_python": {name: round(value / base_s, 2) for name, value in medians.items()},
        "budget_s": BUDGET_S,
        "heavy_imports_of_help": heavy,
        "modules_of_help": len(imported(CASES["uml --help"])),
    }
    if asked.json:
        print(json.dumps(result, indent=2))
    else:
        print(f"{result['machine']}; {asked.runs} runs; load average {result['load_average']:.2f}")
        for name, value in medians.items():
            print(f"{name:18} {value * 1000:7.0f} ms   {value / base_s:5.1f} x")
        print(f"heavy packages imported by `uml --help`: {', '.join(heavy) or 'none'}")
    return 0 if medians["uml --help"] <= BUDGET_S and not heavy else 1


if __name__ == "__main__":
    sys.exit(main())
