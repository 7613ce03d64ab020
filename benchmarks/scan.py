"""How long 2,000 models take to be known, and to be listed once they are, against the reference reader of GGUF.

    python benchmarks/scan.py [--models 2000] [--folder FOLDER] [--json]

Budgets: 200 models a second at the first scan, files in memory; `uml list` well under a second the second time.
The models are synthetic: headers as real models have them (vocabularies of 32,000 and 151,000 tokens of 8 families
each, 216 tensors, shards, external data), weights that are holes in the file. Needs some 3 GB of disk for a minute.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from uml_core.inspection.gguf.vocabularies import SEEN
from uml_core.registry.scan import ScanReport
from uml_core.server.compose import plugins_of, registry_of
from uml_core.settings import Settings
from uml_core.storage import Storage
from uml_core.testing.gguf import write_gguf

BUDGET_PER_S, BUDGET_LIST_S = 200, 1.0
LAYERS, WIDTH = 24, 2048
KINDS = (("gguf", 12), ("large gguf", 1), ("safetensors", 5), ("shards", 1), ("onnx", 1))  # of 20


def words(count: int, seed: int) -> list[str]:
    known = random.Random(seed)
    return ["".join(known.choices("etaoinshrdlucmfwyp", k=known.randint(1, 11))) for _ in range(count)]


FAMILIES = 8
"""Models of one family share a vocabulary, which makes their headers fast to read; people have models of many."""


def blocks(prefix: str) -> dict[str, tuple[int, ...]]:
    square = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
    wide = dict.fromkeys(("ffn_up", "ffn_gate", "ffn_down"), (WIDTH, 4 * WIDTH))
    shapes = {**square, **wide, "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
    return {f"{prefix}.{layer}.{name}.weight": shape for layer in range(LAYERS) for name, shape in shapes.items()}


def hollow(path: Path, data_bytes: int) -> Path:
    """Give the file a tail of that size which takes no disk."""
    os.truncate(path, path.stat().st_size + data_bytes)
    return path


class Gguf:
    """The bytes of a header that only the model's name changes."""

    def __init__(self, tokens: list[str], folder: Path) -> None:
        metadata = {
            "general.architecture": "llama", "general.name": "MODEL-00000", "general.file_type": 0,
            "llama.block_count": LAYERS, "llama.context_length": 8192, "llama.embedding_length": WIDTH,
            "llama.feed_forward_length": 4 * WIDTH, "llama.attention.head_count": 32,
            "llama.attention.head_count_kv": 8, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": [1] * len(tokens),
            "tokenizer.ggml.merges": [f"{one} {two}" for one, two in itertools.pairwise(tokens)],
            "tokenizer.chat_template": "{{ messages }}" * 150,
        }  # fmt: skip
        path = write_gguf(folder / "header", metadata, tensors={"t": (32,)})
        one = path.read_bytes()
        self.start = one[: one.rindex(struct.pack("<Q", 1) + b"t")]
        self.start = self.start[:8] + struct.pack("<Q", len(blocks("blk"))) + self.start[16:]
        infos, offset = b"", 0
        for name, shape in blocks("blk").items():
            infos += struct.pack("<Q", len(name)) + name.encode()
            infos += struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
            offset += 4 * WIDTH * (shape[1] if len(shape) > 1 else 1)
        self.infos, self.data_bytes = infos, offset

    def write(self, path: Path, number: int) -> None:
        head = self.start.replace(b"MODEL-00000", b"MODEL-%05d" % number) + self.infos
        path.write_bytes(head.ljust(-(-len(head) // 32) * 32, b"\0"))
        hollow(path, self.data_bytes + 32 * number)  # real models hardly ever have the same size


def safetensors(path: Path, tensors: dict[str, tuple[int, ...]], number: int) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt", "number": str(number)}}
    offset = 0
    for name, shape in tensors.items():
        size = 2 * WIDTH * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    hollow(path, offset)


def hugging_face(folder: Path, number: int, *, shards: int) -> None:
    folder.mkdir(parents=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 4 * WIDTH, "vocab_size": 32000,
        "max_position_embeddings": 8192, "torch_dtype": "bfloat16",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}" * 150}))
    tensors = list(blocks("model.layers").items())
    names = [f"model-{one + 1:05}-of-{shards:05}.safetensors" for one in range(shards)] if shards > 1 else []
    for one, name in enumerate(names or ["model.safetensors"]):
        safetensors(folder / name, dict(tensors[one::shards]), number)
    if names:
        weights = {tensor: names[one % shards] for one, (tensor, _) in enumerate(tensors)}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def part(field: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(field << 3) + varint(value)
    return varint(field << 3 | 2) + varint(len(value)) + value


def onnx(path: Path, number: int) -> None:
    """A graph of MatMuls whose weights are in a file beside it."""
    data, graph, offset = f"{path.name}_data", part(2, b"model-%d" % number), 0
    for name, shape in blocks("layers").items():
        length = 4 * math.prod(shape)
        place = {"location": data, "offset": str(offset), "length": str(length)}
        tensor = b"".join(part(1, size) for size in shape) + part(2, 1) + part(8, name.encode())
        tensor += b"".join(part(13, part(1, key.encode()) + part(2, value.encode())) for key, value in place.items())
        graph += part(5, tensor + part(14, 1)) + part(1, part(1, b"x") + part(1, name.encode()) + part(4, b"MatMul"))
        offset += length
    path.parent.mkdir(parents=True)
    path.write_bytes(part(1, 8) + part(2, b"pytorch") + part(7, graph) + part(8, part(2, 17)))
    (path.parent / data).touch()
    hollow(path.parent / data, offset)


def write_models(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    headers = [Gguf(words(32_000, family), folder.parent) for family in range(FAMILIES)]
    large = [Gguf(words(151_000, family), folder.parent) for family in range(FAMILIES)]
    kinds = [kind for kind, share in KINDS for _ in range(share)]
    for number in range(count):
        kind, place = kinds[number % len(kinds)], folder / f"org-{number % 50}"
        place.mkdir(exist_ok=True)
        if kind.endswith("gguf"):
            families = headers if kind == "gguf" else large
            random.Random(number).choice(families).write(place / f"model-{number}-F32.gguf", number)
        elif kind == "onnx":
            onnx(place / f"model-{number}" / "model.onnx", number)
        else:
            hugging_face(place / f"model-{number}", number, shards=4 if kind == "shards" else 1)


def scanned(settings: Settings) -> tuple[float, ScanReport]:
    """Scan as a process that starts anew would: seconds and report."""
    storage = Storage(settings.data_dir)
    registry = registry_of(settings, plugins_of(settings), storage=storage)
    storage.start()
    SEEN.forget()
    begin = time.perf_counter()
    report = registry.scan()
    seconds = time.perf_counter() - begin
    storage.close(60)
    return seconds, report


def list_s(settings: Settings, runs: int) -> list[float]:
    folders = {"UML_DATA_DIR": str(settings.data_dir), "UML_MODELS_DIR": str(settings.models_folder)}
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "uml_core", "list", "--json"], env={**os.environ, **folders}, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        times.append(time.perf_counter() - begin)
    return times


def reference_per_s(folder: Path, count: int = 5) -> float | None:
    """The same GGUF files by the `gguf` package, a few of them: it takes seconds for each."""
    try:
        from gguf import GGUFReader
    except ImportError:
        return None
    paths = sorted(folder.rglob("*.gguf"))[:count]
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            GGUFReader(path)
    return len(paths) / (time.perf_counter() - begin)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to put the models for the time; a temporary folder")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="uml-scan-", dir=asked.folder))
    try:
        os.environ["HOME"] = str(work / "home")  # this machine's own models don't count
        settings = Settings(data_dir=work / "data", models_dir=work / "models")
        write_models(settings.models_folder, asked.models)
        firsts = []
        for _ in range(asked.runs):  # by a machine that knows nothing yet
            shutil.rmtree(settings.data_dir, ignore_errors=True)
            firsts.append(scanned(settings))
        again = [scanned(settings) for _ in range(asked.runs)]
        first_s, first = statistics.median(seconds for seconds, _ in firsts), firsts[-1][1]
        result: dict[str, Any] = {
            "models": first.models, "read": first.read, "unreadable": first.unreadable, "incomplete": first.incomplete,
            "python": platform.python_version(), "load_average": round(os.getloadavg()[0], 2),
            "first_scan_s": round(first_s, 2),
            "best_per_s": round(first.read / min(seconds for seconds, _ in firsts), 1),
            "models_per_s": round(first.read / first_s, 1),
            "unchanged": again[-1][1].unchanged,
            "next_scan_s": round(statistics.median(seconds for seconds, _ in again), 3),
            "list_s": round(statistics.median(list_s(settings, asked.runs)), 3),
            "reference_per_s": reference_per_s(settings.models_folder),
        }  # fmt: skip
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if asked.json:
        print(json.dumps(result, indent=2))
    else:
        print_table(result)
    return 0 if result["models_per_s"] >= BUDGET_PER_S and result["list_s"] < BUDGET_LIST_S else 1


def print_table(result: dict[str, Any]) -> None:
    print("| what | seen | budget |\n|---|---|---|")
    best = f"(best {result['best_per_s']:.0f})"
    print(f"| headers read at the first scan | {result['models_per_s']:.0f} models/s {best} | {BUDGET_PER_S} |")
    if reference := result["reference_per_s"]:
        ratio = result["models_per_s"] / reference
        print(f"| GGUF by the `gguf` package | {reference:.2f} models/s ({ratio:.0f} times slower) | |")
    print(f"| a scan of {result['unchanged']} unchanged models | {result['next_scan_s']:.2f} s | |")
    print(f"| `uml list --json`, the whole process | {result['list_s']:.2f} s | {BUDGET_LIST_S} |")
    print(f"\n{result['models']} models, Python {result['python']}, load average {result['load_average']}")


if __name__ == "__main__":
    sys.exit(main())
