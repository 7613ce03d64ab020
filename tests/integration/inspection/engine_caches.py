"""Make room for a conversation with each of the models given, and print how much llama.cpp says that it takes, as JSON.

A process of its own: an engine that doesn't get along with a model of zeros takes only this one with it.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys

import llama_cpp

SIZE = re.compile(r"(KV|RS) buffer size\s*=\s*([\d.]+) MiB")


def caches_mib(path: str, log: list[str], *, context: int, batch: int) -> dict[str, float]:
    """Of keys and values, and of states."""
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    if not model:
        raise SystemExit("".join(log[-10:]))
    log.clear()
    sizes = llama_cpp.llama_context_default_params()
    sizes.n_ctx, sizes.n_batch, sizes.n_ubatch, sizes.n_seq_max, sizes.n_threads = context, batch, batch, 1, 1
    sizes.swa_full, sizes.offload_kqv = False, False
    made = llama_cpp.llama_init_from_model(model, sizes)
    if not made:
        raise SystemExit("".join(log[-10:]))
    found = {"KV": 0.0, "RS": 0.0}
    for kind, size in SIZE.findall("".join(log)):
        found[kind] += float(size)
    llama_cpp.llama_free(made)
    llama_cpp.llama_model_free(model)
    return found


def main(context: str, batch: str, *paths: str) -> None:
    log: list[str] = []
    callback = llama_cpp.llama_log_callback(lambda level, text, data: log.append(text.decode("utf-8", "replace")))
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    for path in paths:
        print(json.dumps(caches_mib(path, log, context=int(context), batch=int(batch))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
