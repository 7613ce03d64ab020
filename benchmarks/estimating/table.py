"""The results as a table: for a terminal, and for a page."""

from __future__ import annotations

from collections.abc import Sequence

from estimating.case import KINDS, Result

ENGINES = {"llama": "llama-cpp-python", "xllama": "xllamacpp", "torch": "transformers", "onnx": "onnxruntime"}
MB = 1e6


def line(result: Result) -> str:
    """One result for a terminal: predicted / measured in MB for each kind, `!` where a bound is broken."""
    cells = [f"{_pair(result, kind):>17}" for kind in KINDS]
    total = f"{_total(result):>17}"
    return f"{result.case.name[:28]:28} {result.case.engine:6} {result.case.how[:44]:44} {' '.join(cells)} {total}"


def head() -> str:
    return f"{'model':28} {'engine':6} {'load':44} " + " ".join(f"{kind:>17}" for kind in (*KINDS, "total"))


def markdown(results: Sequence[Result]) -> str:
    """The table of a page, in MB."""
    rows = ["| model | engine | load | weights | KV cache | compute | overhead | total |", "|---|---|---|" + "--:|" * 5]
    for result in results:
        cells = [_pair(result, kind) for kind in KINDS]
        how = (result.case.name, ENGINES[result.case.engine], result.case.how)
        rows.append(f"| {' | '.join((*how, *cells, _total(result)))} |")
    return "\n".join(rows) + "\n"


def _pair(result: Result, kind: str) -> str:
    mark = "" if result.holds(kind) else " !"
    return f"{result.predicted.get(kind, 0) / MB:.1f} / {result.measured.get(kind, 0) / MB:.1f}{mark}"


def _total(result: Result) -> str:
    mark = "" if result.total_holds else " !"
    return f"{sum(result.predicted.values()) / MB:.0f} / {sum(result.measured.values()) / MB:.0f}{mark}"
