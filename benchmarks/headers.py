"""How long the header of a real GGUF file takes to read, against a loop over its strings and the reference reader.

    python benchmarks/headers.py [MODEL.gguf] [--runs 200] [--json]

Budget: 200 models a second. Without a file it takes the starter model, fetched as `uml pull starter` does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from uml_core.inspection import inspect
from uml_core.inspection.gguf import LeftInFile, read_header
from uml_core.inspection.gguf.cursor import open_cursor
from uml_core.inspection.plugin import uml_model_formats
from uml_core.registry.plugin import BuiltinStores
from uml_core.settings import read_settings

BUDGET = 200


def starter() -> Path:
    cache = Path(os.environ.get("UML_DEV_CACHE") or user_cache_path("uml-dev"))
    for store in BuiltinStores(read_settings(models_dir=cache / "models")).uml_model_stores():
        if store.offer and (offer := store.offer("starter")):
            return offer.fetch(lambda *_: None).path
    raise SystemExit("there is no starter model")


def timed_ms(work: Callable[[], object], runs: int) -> list[float]:
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    return times


def strings_ms(path: Path, *, runs: int, one_by_one: bool) -> float:
    """Only the walk over the long arrays of strings."""
    arrays = [value for value in read_header(path).metadata.values() if isinstance(value, LeftInFile)]

    def walk() -> None:
        for array in arrays:
            if array.type_name == "string":
                with open_cursor(path, start=array.offset) as cursor:
                    (cursor._skip_each if one_by_one else cursor.skip_strings)(array.count)  # noqa: SLF001

    return statistics.median(timed_ms(walk, runs))


def reference_ms(path: Path) -> float | None:
    try:
        from gguf import GGUFReader
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timed_ms(lambda: GGUFReader(path), 1)[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    path = asked.model or Path(os.environ.get("UML_TEST_MODEL") or starter())
    formats = tuple(uml_model_formats())
    (first_ms,) = timed_ms(lambda: inspect(path, formats), 1)
    times = timed_ms(lambda: inspect(path, formats), asked.runs)
    median_ms, reference = statistics.median(times), reference_ms(path)
    result = {
        "model": path.name,
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "first_ms": round(first_ms, 2),
        "median_ms": round(median_ms, 2),
        "best_ms": round(min(times), 2),
        "models_per_s": round(1000 / median_ms),
        "strings_ms": round(strings_ms(path, runs=asked.runs // 4, one_by_one=False), 2),
        "strings_one_by_one_ms": round(strings_ms(path, runs=asked.runs // 4, one_by_one=True), 2),
        "reference_ms": reference and round(reference),
        "reference_ratio": reference and round(reference / median_ms),
    }
    if asked.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24} {value}")
        print(f"{'budget_models_per_s':24} {BUDGET}: {'met' if result['models_per_s'] >= BUDGET else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
