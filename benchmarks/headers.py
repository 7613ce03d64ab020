"""How long the header of a real GGUF file takes to read, against a loop over its strings and the reference reader.

    python benchmarks/headers.py [MODEL.gguf] [--runs 200] [--json]

``models_per_s`` is for a vocabulary that was not seen before, as the first of a family of models has it;
``again_per_s`` for one that was, as its other files have it. The same for written files with vocabularies as large as
Qwen's (150,000 tokens with merges) and Gemma's (260,000 with scores).

Budget: 200 models a second. Without a file it takes the starter model, fetched as `uml pull starter` does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from uml_core.inspection import gguf, inspect
from uml_core.inspection.gguf import LeftInFile, read_header
from uml_core.inspection.gguf.cursor import LENGTH, open_cursor
from uml_core.inspection.gguf.strings import skip_strings
from uml_core.inspection.gguf.vocabularies import SEEN
from uml_core.registry.plugin import BuiltinStores
from uml_core.settings import read_settings
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelFormat

BUDGET = 200
FORMATS = (ModelFormat(name=gguf.NAME, claims=gguf.claims, read=gguf.read),)
LAYERS = 36


def starter() -> Path:
    cache = Path(os.environ.get("UML_DEV_CACHE") or user_cache_path("uml-dev"))
    for store in BuiltinStores(read_settings(models_dir=cache / "models")).uml_model_stores():
        if store.offer and (offer := store.offer("starter")):
            return offer.fetch(lambda *_: None).path
    raise SystemExit("there is no starter model")


def written(folder: Path, tokens: int, *, merges: bool) -> Path:
    """A model with so many tokens, as long as real ones, and as many tensors as one of a few billion weights has."""
    source = random.Random(tokens)
    words = [
        source.randbytes(max(1, round(source.gauss(6.5, 3)))).hex()[: source.randrange(1, 14)] for _ in range(tokens)
    ]
    metadata: dict[str, object] = {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.embedding_length": 4096,
        "llama.attention.head_count": 32,
        "tokenizer.ggml.model": "gpt2" if merges else "llama",
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.token_type": [1] * tokens,
    }
    if merges:
        metadata["tokenizer.ggml.merges"] = [f"{word[:4]} {word[4:]}" for word in words]
    else:
        metadata["tokenizer.ggml.scores"] = [0.0] * tokens
    tensors = {f"blk.{layer}.part_{part}.weight": (256, 2) for layer in range(LAYERS) for part in range(11)}
    return write_gguf(folder / f"{tokens}.gguf", metadata, tensors=tensors)


def timed_ms(work: Callable[[], object], runs: int, *, before: Callable[[], object] = lambda: None) -> list[float]:
    times = []
    for _ in range(runs):
        before()
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    return times


def inspected(path: Path, runs: int) -> dict[str, object]:
    """One file as the first of its family, and as one more of it."""
    new = timed_ms(lambda: inspect(path, FORMATS), runs, before=SEEN.forget)
    for _ in range(2):
        inspect(path, FORMATS)
    again = timed_ms(lambda: inspect(path, FORMATS), runs)
    SEEN.forget()
    return {
        "median_ms": round(statistics.median(new), 2),
        "best_ms": round(min(new), 2),
        "models_per_s": round(1000 / statistics.median(new)),
        "again_ms": round(statistics.median(again), 2),
        "again_per_s": round(1000 / statistics.median(again)),
    }


def strings_ms(path: Path, *, runs: int, one_by_one: bool) -> float:
    """Only the walk over the long arrays of strings."""
    arrays = [value for value in read_header(path).metadata.values() if isinstance(value, LeftInFile)]

    def walk() -> None:
        for array in arrays:
            if array.type_name == "string":
                with open_cursor(path, start=array.offset) as cursor:
                    if not one_by_one:
                        skip_strings(cursor, array.count)
                    else:
                        for _ in range(array.count):
                            cursor.skip(cursor.unpack(LENGTH)[0])

    return statistics.median(timed_ms(walk, runs, before=SEEN.forget))


def reference_ms(path: Path) -> float | None:
    try:
        from gguf import GGUFReader
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timed_ms(lambda: GGUFReader(path), 1)[0]


def measured(path: Path, runs: int) -> dict[str, object]:
    (first_ms,) = timed_ms(lambda: inspect(path, FORMATS), 1)
    result = {
        "model": path.name,
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "first_ms": round(first_ms, 2),
        **inspected(path, runs),
        "strings_ms": round(strings_ms(path, runs=runs // 4, one_by_one=False), 2),
        "strings_one_by_one_ms": round(strings_ms(path, runs=max(2, runs // 40), one_by_one=True), 2),
    }
    if reference := reference_ms(path):
        result["reference_ms"] = round(reference)
    with tempfile.TemporaryDirectory() as folder:
        for tokens, merges in ((150_000, True), (260_000, False)):
            result[f"{tokens}_tokens"] = inspected(written(Path(folder), tokens, merges=merges), max(5, runs // 4))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    result = measured(asked.model or Path(os.environ.get("UML_TEST_MODEL") or starter()), asked.runs)
    if asked.json:
        print(json.dumps(result))
        return 0
    for name, value in result.items():
        print(f"{name:24} {value}")
    met = int(str(result["models_per_s"])) >= BUDGET
    print(f"{'budget_models_per_s':24} {BUDGET}: {'met' if met else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
