"""One load through onnxruntime on the processor; the case as JSON in, what it holds as JSON out.

A graph with a cache is run over a prompt as long as the context in batches; any other once, with zeros.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import onnxruntime as ort

from estimating.memory import held

TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}  # fmt: skip
USUAL_SIDE = 224
CACHE = ("past", "cache")


def main() -> None:
    case: dict[str, Any] = json.loads(sys.argv[1])
    path = Path(case["model"])
    file = next(iter(sorted(path.glob("*.onnx"))), path) if path.is_dir() else path
    held(str(path))
    empty = held(str(path))
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    loaded = held(str(path))
    past = _text(session, case) if any(_is_cache(value) for value in session.get_inputs()) else _once(session)
    used = held(str(path))
    copied = loaded["anonymous"] - empty["anonymous"]
    cache_bytes = sum(value.nbytes for value in past.values())
    print(json.dumps({"empty": empty, "used": used, "copied": copied, "kv_cache": cache_bytes}), flush=True)
    os._exit(0)


def _is_cache(value: Any) -> bool:
    return any(word in value.name for word in CACHE)


def _once(session: Any) -> dict[str, Any]:
    session.run(None, {value.name: _zeros(value, ()) for value in session.get_inputs()})
    return {}


def _text(session: Any, case: dict[str, Any]) -> dict[str, Any]:
    """Feed batches; what a step gives for the next one is given to it."""
    inputs = session.get_inputs()
    names = [value.name for value in session.get_outputs()]
    heads = _dimensions(Path(case["model"]))
    past = {value.name: _zeros(value, heads) for value in inputs if _is_cache(value)}
    for at in range(0, case["context_length"], case["batch"]):
        count = min(case["batch"], case["context_length"] - at)
        given = {
            "input_ids": (np.arange(at, at + count) % 900 + 50)[None].astype(np.int64),
            "attention_mask": np.ones((1, at + count), np.int64),
            "position_ids": np.arange(at, at + count)[None].astype(np.int64),
        }
        fed = {value.name: given[value.name] for value in inputs if value.name in given}
        answers = dict(zip(names, session.run(None, fed | past), strict=True))
        past = {name: answers[name.replace("past_key_values", "present")] for name in past}
    return past


def _dimensions(folder: Path) -> tuple[int, int, int, int]:
    """The sides of an empty cache, for those that the graph has words for: onnxruntime-genai says them beside it."""
    config = folder / "genai_config.json"
    decoder = json.loads(config.read_text("utf-8"))["model"]["decoder"] if config.exists() else {}
    return (1, decoder.get("num_key_value_heads", 1), 0, decoder.get("head_size", 1))


def _zeros(value: Any, heads: Sequence[int]) -> Any:
    """Of the shape that it says: nothing of the past, one of everything else, a picture of the usual size."""
    sides = []
    for axis, side in enumerate(value.shape):
        if isinstance(side, int) and side > 0:
            sides.append(side)
        elif _is_cache(value):
            sides.append(heads[axis])
        else:
            sides.append(USUAL_SIDE if axis > 1 else 1)
    return np.zeros(sides, TYPES[value.type])


if __name__ == "__main__":
    main()
