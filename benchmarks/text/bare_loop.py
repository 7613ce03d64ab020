"""One engine in a process, driven as its documentation shows, with nothing around it; not a benchmark itself.

bare_loop.py {llama_cpp,transformers,onnxruntime} MODEL -- loads, writes one token, and says so; then each line on its
standard input, `COUNT TOKENS`, asks for that many answers, one after the other, and is answered by a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
Engine = Callable[[str, int], Iterator[int]]
"""A question and how many tokens to write; gives them one by one, the likeliest each time."""


def llama_cpp(path: Path) -> Engine:
    from llama_cpp import Llama

    model = Llama(str(path), n_ctx=1024, n_threads=THREADS, verbose=False)

    def answer(question: str, tokens: int) -> Iterator[int]:
        asked = {"messages": [{"role": "user", "content": question}], "temperature": 0.0, "max_tokens": tokens}
        for chunk in model.create_chat_completion(**asked, stream=True):
            if chunk["choices"][0]["delta"].get("content"):
                yield 1

    return answer


def transformers(path: Path) -> Engine:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(THREADS)
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()

    def answer(question: str, tokens: int) -> Iterator[int]:
        ids = torch.tensor([tokenizer.encode(prompt(path, question), add_special_tokens=False)])
        past = None
        with torch.inference_mode():
            for _ in range(tokens):
                out = model(input_ids=ids, past_key_values=past, use_cache=True, logits_to_keep=1)
                past, token = out.past_key_values, int(out.logits[0, -1].argmax())
                if token == tokenizer.eos_token_id:
                    return
                yield token
                ids = torch.tensor([[token]])

    return answer


def onnxruntime(path: Path) -> Engine:
    import numpy as np
    import onnxruntime as ort
    from tokenizers import Tokenizer

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(str(path / "model.onnx"), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    model = json.loads((path / "genai_config.json").read_text())["model"]
    shape = (1, model["decoder"]["num_key_value_heads"], 0, model["decoder"]["head_size"])
    names = [each.name for each in session.get_inputs() if each.name.startswith("past")]
    placed = any(each.name == "position_ids" for each in session.get_inputs())
    ends = {model["eos_token_id"]} if isinstance(model["eos_token_id"], int) else set(model["eos_token_id"])

    def answer(question: str, tokens: int) -> Iterator[int]:
        past: dict[str, Any] = {name: np.zeros(shape, np.float32) for name in names}
        ids, length = tokenizer.encode(prompt(path, question), add_special_tokens=False).ids, 0
        for _ in range(tokens):
            length += len(ids)
            asked = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, length), np.int64)}
            if placed:
                asked["position_ids"] = np.arange(length - len(ids), length)[None]
            logits, *new = session.run(None, {**asked, **past})
            past = dict(zip(names, new, strict=True))
            ids = [int(logits[0, -1].argmax())]
            if ids[0] in ends:
                return
            yield ids[0]

    return answer


def prompt(path: Path, question: str) -> str:
    from jinja2 import Environment

    template = Environment(autoescape=False).from_string((path / "chat_template.jinja").read_text("utf-8"))
    return template.render(messages=[{"role": "user", "content": question}], add_generation_prompt=True)


def main() -> None:
    engines = {"llama_cpp": llama_cpp, "transformers": transformers, "onnxruntime": onnxruntime}
    answer = engines[sys.argv[1]](Path(sys.argv[2]))
    next(answer("Count from 1 to 100.", 1))
    print("first token", flush=True)
    for line in sys.stdin:
        count, tokens = map(int, line.split())
        before, firsts, written = time.perf_counter(), [], 0
        for number in range(count):
            for _ in answer(f"Count from {number} to 100.", tokens):
                written += 1
                if len(firsts) == number:
                    firsts.append(time.perf_counter() - before)
        seconds = time.perf_counter() - before
        print(json.dumps({"tokens_per_s": written / seconds, "first_s": sorted(firsts)[len(firsts) // 2]}), flush=True)


if __name__ == "__main__":
    main()
