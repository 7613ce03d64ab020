"""Models of transformers: tokens a second through UML beside `transformers serve`, and how fast weights reach a GPU.

    python benchmarks/gpu/transformers.py [--size 8b] [--streams 1,4,16,64] [--tokens 128] [--keep FOLDER]
        [--flags=--cb-use-cuda-graph]

A Llama of random weights is written in bf16. It is loaded by three child processes: by UML's loader, by transformers'
own, and as a plain copy of as many bytes from pinned memory to the device; the files are in the page cache then. After
that a gateway with `uml-transformers`, and `transformers serve --continuous-batching` on the same device, one after the
other, answer so many streams at once. Without a GPU it runs too, `--size tiny`, and says nothing then but that it runs.

Needs uml-core, uml-transformers with its engine, and for the comparison `transformers[serving]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parents[1])  # not this folder: its `transformers` is this file

from gateway_process import request, surroundings, wait_ready  # noqa: E402

SIZES = {  # width, inner width, layers, heads, those of keys, vocabulary
    "tiny": (64, 128, 2, 4, 2, 512),
    "1b": (2048, 8192, 16, 32, 8, 128_256),
    "8b": (4096, 14_336, 32, 32, 8, 128_256),
    "14b": (5120, 17_408, 40, 40, 8, 151_936),
}
NAME, PROMPT_WORDS, CONTEXT = "random", 64, 1024
GB = 1e9

MAKE = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
folder, (width, inner, layers, heads, kept, words) = Path(sys.argv[1]), json.loads(sys.argv[2])
device = "cuda" if torch.cuda.is_available() else "cpu"
def drawn(*shape): return (torch.randn(shape, device=device, dtype=torch.bfloat16) * 0.02).cpu()
def one(count): return torch.ones(count, dtype=torch.bfloat16)
length, index = width // heads, {}
def save(number, weights):
    name = f"model-{number:05}-of-{layers + 1:05}.safetensors"
    save_file(weights, folder / name, metadata={"format": "pt"})
    index.update(dict.fromkeys(weights, name))
for at in range(layers):
    p = f"model.layers.{at}."
    save(at + 1, {
        p + "self_attn.q_proj.weight": drawn(heads * length, width),
        p + "self_attn.k_proj.weight": drawn(kept * length, width),
        p + "self_attn.v_proj.weight": drawn(kept * length, width),
        p + "self_attn.o_proj.weight": drawn(width, heads * length),
        p + "mlp.gate_proj.weight": drawn(inner, width), p + "mlp.up_proj.weight": drawn(inner, width),
        p + "mlp.down_proj.weight": drawn(width, inner),
        p + "input_layernorm.weight": one(width), p + "post_attention_layernorm.weight": one(width),
    })
save(layers + 1, {"model.embed_tokens.weight": drawn(words, width), "lm_head.weight": drawn(words, width),
                  "model.norm.weight": one(width)})
size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
whole = {"metadata": {"total_size": size}, "weight_map": index}
(folder / "model.safetensors.index.json").write_text(json.dumps(whole))
(folder / "config.json").write_text(json.dumps({
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16", "hidden_size": width,
    "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads, "head_dim": length,
    "num_key_value_heads": kept, "vocab_size": words, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1}))
tokenizer = Tokenizer(models.WordLevel({f"w{at}": at for at in range(words)}, unk_token="w2"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer.add_special_tokens(["w0", "w1"])
tokenizer.save(str(folder / "tokenizer.json"))
template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
(folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "w0", "eos_token": "w1", "chat_template": template, "model_max_length": 8192}))
"""
"""Writes the model. Word 1 would end an answer; of so many words it comes by chance once in a thousand answers."""

LOAD = """
import sys, time, torch
from pathlib import Path
how, folder = sys.argv[1], Path(sys.argv[2])
there = torch.cuda.is_available()
device = torch.device("cuda:0" if there else "cpu")
wait = torch.cuda.synchronize if there else lambda: None
size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
for path in folder.glob("*.safetensors"):
    with path.open("rb") as file:
        while file.read(1 << 24): pass
torch.empty(1, device=device); wait()
if how == "copy":
    piece = torch.empty(256 << 20, dtype=torch.uint8)
    piece = piece.pin_memory() if there else piece
    target = [torch.empty_like(piece, device=device) for _ in range(max(1, size // len(piece)))]
    wait(); began = time.perf_counter()
    for part in target: part.copy_(piece, non_blocking=True)
    size = len(target) * len(piece)
elif how == "transformers":
    from transformers import LlamaForCausalLM
    began = time.perf_counter()
    model = LlamaForCausalLM.from_pretrained(folder, dtype="auto", device_map={"": device})
else:
    import uml_transformers.loading as loading
    from uml_core.inspection.safetensors import read
    from uml_core.types import Placement, Plan
    from uml_transformers.options import Options
    from transformers import LlamaForCausalLM
    source = read(folder)
    plan = Plan(model_id="m", model=source, backend="transformers", tasks=("text-generation",), context_length=64,
                placement=Placement(devices=("cuda:0",) if there else ()), options=Options().model_dump())
    began = time.perf_counter()
    model = loading.load_model(plan, Options(), lambda part: None)
wait()
print(size, time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="8b")
    parser.add_argument("--streams", default="1,4,16,64")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for the model, which is kept there")
    parser.add_argument("--flags", default="", help="what else `transformers serve` is told")
    parser.add_argument("--only", choices=("load", "streams"))
    said = parser.parse_args()
    counts = [int(count) for count in said.streams.split(",")]
    print(surroundings(), _device(), sep="\n")
    with tempfile.TemporaryDirectory() as scratch:
        models = said.keep or Path(scratch)
        folder = models / NAME
        if not (folder / "config.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            _child(MAKE, str(folder), json.dumps(SIZES[said.size]))
        if said.only != "streams":
            loads(folder, said.rounds)
        if said.only != "load":
            streams(models, folder, counts, said.tokens, said.rounds, said.flags.split())


def _child(code: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments], check=False, capture_output=True, text=True, timeout=900
    )
    if ran.returncode:
        raise SystemExit(ran.stderr[-3000:])
    return ran.stdout


def _device() -> str:
    code = (
        "import torch; print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu')"
    )
    return "torch " + _child(code).strip()


def loads(folder: Path, rounds: int) -> None:
    print("\n| load, warm page cache | GB | s, median (least-most) | GB/s |\n|---|--:|--:|--:|")
    for how in ("copy", "uml", "transformers"):
        rows = [tuple(map(float, _child(LOAD, how, str(folder)).split()[-2:])) for _ in range(rounds)]
        seconds = [row[1] for row in rows]
        middle, size = statistics.median(seconds), rows[0][0]
        spread = f"{middle:.2f} ({min(seconds):.2f}-{max(seconds):.2f})"
        print(f"| {how} | {size / GB:.2f} | {spread} | {size / GB / middle:.2f} |", flush=True)


def streams(models: Path, folder: Path, counts: list[int], tokens: int, rounds: int, flags: list[str]) -> None:
    found: dict[str, dict[int, tuple[float, float]]] = {}
    with uml(models, max(counts)) as url:
        found["uml"] = measure(url, NAME, counts, tokens, rounds)
    try:
        with their_server(folder, flags) as url:
            found["transformers serve"] = measure(url, str(folder), counts, tokens, rounds)
    except (RuntimeError, OSError) as error:
        print(f"\nno comparison: {error}")
    print(f"\n{tokens} tokens an answer, {PROMPT_WORDS} of prompt; tokens/s of all streams, first token after ms\n")
    print("| streams | " + " | ".join(found) + (" | ratio |" if len(found) > 1 else " |"))
    print("|--:" * (len(found) + 1 + (len(found) > 1)) + "|")
    for count in counts:
        rates = [rows[count] for rows in found.values()]
        cells = [f"{rate:.0f} ({first * 1000:.0f})" for rate, first in rates]
        ratio = [f"{rates[0][0] / rates[1][0]:.2f}"] if len(rates) > 1 else []
        print("| " + " | ".join([str(count), *cells, *ratio]) + " |")


@contextlib.contextmanager
def uml(models: Path, parallel: int) -> Iterator[str]:
    """A gateway with the model loaded."""
    with tempfile.TemporaryDirectory(prefix="uml-bench-") as data:
        own = {"UML_DATA_DIR": data, "UML_CONFIG": f"{data}/uml.toml", "UML_MODELS_DIR": str(models)}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "uml_core", "serve", "--port", "0"],
            env={**os.environ, **own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = wait_ready(process, Path(data) / "run" / "gateway.json")
            wish = {"model": NAME, "backend": "transformers", "parallel": parallel, "context_length": CONTEXT}
            began = time.perf_counter()
            status, answer = request(url, "POST", "/load_model", {**wish, "wait": True})
            if status != 200:
                raise SystemExit(f"{answer}")
            print(f"\nloaded by UML, {parallel} at once, in {time.perf_counter() - began:.1f} s", flush=True)
            yield url
        finally:
            process.terminate()
            process.wait(60)


@contextlib.contextmanager
def their_server(folder: Path, flags: list[str]) -> Iterator[str]:
    """`transformers serve` with its continuous batching."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    start = [str(program)] if program.exists() else [sys.executable, "-P", "-m", "transformers.cli.transformers"]
    argv = [*start, "serve", str(folder), "--continuous-batching", "--dtype", "auto", "--port", str(port), *flags]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        try:
            _wait(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int, log: Any) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"transformers serve ended with code {process.returncode}: {log.read()[-500:]}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.2)
    raise RuntimeError("transformers serve did not begin to listen")


def measure(url: str, model: str, counts: list[int], tokens: int, rounds: int) -> dict[int, tuple[float, float]]:
    """Tokens a second of all streams, and seconds to the first token, each the median of *rounds*."""
    found = {}
    for count in counts:
        asyncio.run(together(url, model, count, min(tokens, 16)))
        rows = [asyncio.run(together(url, model, count, tokens)) for _ in range(rounds)]
        found[count] = (statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows))
    return found


async def together(url: str, model: str, count: int, tokens: int) -> tuple[float, float]:
    """*count* streams at once, each with a prompt of its own."""
    began = time.perf_counter()
    rows = await asyncio.gather(*(stream(url, model, number, tokens) for number in range(count)))
    seconds = time.perf_counter() - began
    return sum(row[0] for row in rows) / seconds, statistics.median(row[1] for row in rows)


async def stream(url: str, model: str, number: int, tokens: int) -> tuple[int, float]:
    """One answer: how many tokens it has, and when the first one came."""
    host, port = url.removeprefix("http://").split(":")
    salt = time.perf_counter_ns() % 400
    words = " ".join(f"w{(salt + number * 7 + at) % 500 + 3}" for at in range(PROMPT_WORDS))
    chat = {"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": tokens, "stream": True}
    body = json.dumps({**chat, "temperature": 0, "stream_options": {"include_usage": True}}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    began, first, data = time.perf_counter(), 0.0, b""
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + body)
    while piece := await reader.read(65536):
        data += piece
        if not first and b'"content":"' in data.replace(b'"content": "', b'"content":"').replace(b'"content":""', b""):
            first = time.perf_counter() - began
    writer.close()
    events = [line[6:] for line in data.splitlines() if line.startswith(b"data: {")]
    usage = next((said["usage"] for event in reversed(events) if (said := json.loads(event)).get("usage")), None)
    if not events or not data.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
        raise RuntimeError(f"a stream did not end well: {data[-300:]!r}")
    return (usage or {}).get("completion_tokens") or len(events), first


if __name__ == "__main__":
    main()
