"""The worker: llama.cpp's own HTTP server out of the xllamacpp package, in this process.

It runs by its path and imports nothing but the standard library and the engine, so that any Python will do which has
xllamacpp. The constructor of ``xllamacpp.Server`` holds the interpreter's lock until the model is loaded, and serves
from threads of its own afterwards: nothing here can run meanwhile, and the gateway must not expect it to.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

FAILED, BAD_FILE, NO_ENGINE = 1, 3, 4
PLAIN = frozenset({"n_batch", "n_ubatch", "n_gpu_layers", "rope_freq_base", "rope_freq_scale", "swa_full", "warmup"})
KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "cache_type_k": ("cache_type_k", "ggml_type", {}),
    "cache_type_v": ("cache_type_v", "ggml_type", {}),
    "flash_attn": ("flash_attn_type", "llama_flash_attn_type", {"on": "ENABLED", "off": "DISABLED"}),
    "load_mode": ("load_mode", "llama_load_mode", {"mmap+mlock": "MMAP_MLOCK", "dio": "DIRECT_IO"}),
}
"""For each option: the parameter, the enumeration of its values, and where a value has another name there."""
ENCODES = {"text-ranking": "rank", "feature-extraction": "embed"}
TEXTS = 8
EXPERTS = r"blk\.(%s)\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU"
LOUD, USUAL = 4, 3
"""How much llama.cpp tells: at 4 also of the memory that it takes; at 5 it would tell what it is asked."""
OWN = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
LOG_S = 0.2
"""llama.cpp writes its log from another thread; what it has to say must come before our last line."""


def main() -> NoReturn:
    """Load, serve, and end with 0 on TERM; or end with 3, 4 or 1 and a last line that says why."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to act on
    launch = json.loads(Path(os.environ["UML_LAUNCH_FILE"]).read_text("utf-8"))
    try:
        import xllamacpp
    except ImportError as error:
        _end(NO_ENGINE, f"the engine can't be imported: {error}")
    tell_overhead()
    try:
        server = xllamacpp.Server(params(xllamacpp, launch))
    except Exception as error:  # noqa: BLE001 - whatever it is, the last line must say so
        time.sleep(LOG_S)
        _end(*reason(launch, error))
    hush(xllamacpp)
    print(f"ready at {server.listening_address}", flush=True)
    _wait_for_term()
    os._exit(0)  # the server's destructor waits for its main loop, at times for ever


def tell_overhead() -> None:
    """Say what this process holds before it has read anything of the model; Linux alone lets it know."""
    with contextlib.suppress(OSError):
        kib = sum(map(int, OWN.findall(Path("/proc/self/status").read_text("ascii"))))
        print(f"uml: the empty worker holds {kib << 10} bytes", flush=True)


def hush(engine: Any) -> None:
    """Tell as much as usual from now on, if the package lets us: each request would be worth some twenty lines."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(engine.xllamacpp.__file__)["_Z30common_log_set_verbosity_tholdi"](USUAL)  # a C++ function


def params(engine: Any, launch: dict[str, Any]) -> Any:
    """Fill llama.cpp's parameters; *engine* is the module."""
    plan, options = launch["plan"], launch["plan"]["options"]
    filled = engine.CommonParams()
    filled.model.path = plan["model"]["path"]
    filled.model_alias = {plan["model_id"]}
    filled.n_ctx = plan["context_length"] * plan["parallel"]  # it is shared among the sequences
    filled.n_parallel = plan["parallel"]
    filled.cpuparams.n_threads = options.get("n_threads") or plan["threads"]
    filled.cpuparams_batch.n_threads = options.get("n_threads_batch") or filled.cpuparams.n_threads
    filled.hostnames, filled.port, filled.api_keys = [launch["host"]], launch["port"], [launch["token"]]
    filled.ui = filled.endpoint_slots = False
    filled.cors_origins = ""
    filled.offline = True
    _choose(engine, filled, {name: value for name, value in options.items() if value is not None})
    if kind := encodes(plan):
        _encode(engine, filled, plan, kind)
    filled.fit_params = options.get("n_gpu_layers") is None and _has_gpu(engine)  # it reads the model a second time
    filled.verbosity = USUAL if filled.fit_params else LOUD  # what it tells of the first time would be counted too
    return filled


def encodes(plan: Mapping[str, Any]) -> str | None:
    """Whether the model makes vectors or scores of whole texts, and which; None if it writes."""
    tasks = plan.get("tasks") or ()
    return None if "text-generation" in tasks else next((kind for task, kind in ENCODES.items() if task in tasks), None)


def _encode(engine: Any, filled: Any, plan: Mapping[str, Any], kind: str) -> None:
    """Take whole texts, each of which has to be in one batch; short ones share the room in it."""
    filled.embedding = True
    if kind == "rank":
        filled.pooling_type = engine.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    filled.n_batch = filled.n_ubatch = whole_batch(plan)
    filled.n_parallel, filled.kv_unified = whole_texts(plan), True


def whole_batch(plan: Mapping[str, Any]) -> int:
    """Tokens that are computed at once where a text can't be divided."""
    return int(max(plan["context_length"], plan["options"].get("n_ubatch") or 0))


def whole_texts(plan: Mapping[str, Any]) -> int:
    """Texts that are computed at once, of one request or several."""
    return int(max(plan["parallel"], TEXTS))


def _choose(engine: Any, filled: Any, options: dict[str, Any]) -> None:
    for name in PLAIN & options.keys():
        setattr(filled, name, options[name])
    filled.cache_ram_mib = options.get("cache_ram", 0)
    for name, (field, kind, words) in KINDS.items():
        if name in options:
            word = words.get(options[name], options[name].upper())
            setattr(filled, field, getattr(engine, kind)[f"{kind.upper()}_{word}"])
    if options.get("n_cpu_moe"):
        filled.tensor_buft_overrides = EXPERTS % "|".join(map(str, range(options["n_cpu_moe"])))
    filled.no_kv_offload = options.get("kv_offload") is False
    filled.main_gpu, mode, shares = split(options, narrowed="UML_GPUS" in os.environ)
    if mode is not None:
        filled.split_mode = engine.llama_split_mode[f"LLAMA_SPLIT_MODE_{mode.upper()}"]
    if shares:
        filled.tensor_split = [*shares, *[0.0] * (len(filled.tensor_split) - len(shares))]


def split(options: Mapping[str, Any], *, narrowed: bool) -> tuple[int, str | None, Sequence[float]]:
    """Where several GPUs are: the first, the mode, the shares.

    :param narrowed: only those that have a share are seen, under numbers of their own
    """
    first, mode, shares = options.get("main_gpu"), options.get("split_mode"), options.get("tensor_split") or ()
    if narrowed:
        first, shares = first and 0, [share for share in shares if share]
    used = [gpu for gpu, share in enumerate(shares) if share] if shares else [first]
    if mode is None and len(used) == 1 and used[0] is not None:
        return used[0], "none", ()
    return first or 0, mode, shares


def _has_gpu(engine: Any) -> bool:
    return any("GPU" in device["type"].name for device in engine.get_device_info())


def reason(launch: dict[str, Any], error: Exception) -> tuple[int, str]:
    """Why the load failed, as an exit code and a sentence. The exception itself says only that it did."""
    path, address = Path(launch["plan"]["model"]["path"]), (launch["host"], launch["port"])
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                return BAD_FILE, f"'{path}' is no GGUF file; fetch it again"
    except OSError as unreadable:
        return BAD_FILE, f"'{path}' can't be read: {unreadable.strerror}"
    try:
        socket.create_server(address).close()
    except OSError as taken:
        return FAILED, f"port {launch['port']} can't be listened on: {os.strerror(taken.errno or 0)}"
    return FAILED, f"llama.cpp could not load '{path}', as the lines above explain ({error})"


def _wait_for_term() -> None:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(
        wake
    )  # a signal may be delivered to one of the engine's threads, which would not end a pause()
    signal.signal(signal.SIGTERM, lambda *_: None)
    os.read(woken, 1)


def _end(code: int, words: str) -> NoReturn:
    print(" ".join(words.split()), file=sys.stderr, flush=True)
    os._exit(code)


if __name__ == "__main__":
    main()
