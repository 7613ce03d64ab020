"""An engine that does what the last message says; what happened to it is told on stderr."""

import errno
import sys
import time
from pathlib import Path

from uml_core.errors import ContextLengthExceededError, InvalidModelFileError
from uml_core.worker import Delta, serve

PACE_S = 0.01


def tell(line):
    print(line, file=sys.stderr, flush=True)


class Engine:
    honours = ("response_format",)

    def chat(self, request):
        order, _, rest = request.text_messages()[-1]["content"].partition(" ")
        tell(f"begin {order} {rest}")
        count = 0
        try:
            for piece in getattr(self, order)(rest, request):
                count += 1
                yield piece
        finally:
            tell(f"end {order} {rest} after {count}")

    def say(self, text, request):
        yield from text.split("|")

    def count(self, text, request):
        yield Delta(prompt_tokens=3)
        yield from (f"{number} " for number in range(int(text)))

    def report(self, text, request):
        yield Delta(text, finish_reason="length", prompt_tokens=7, completion_tokens=11)
        yield "never sent"

    def spell(self, text, request):
        yield from (bytes([byte]) for byte in text.encode())

    def endless(self, text, request):
        while True:
            time.sleep(PACE_S)
            yield "again "

    def flood(self, text, request):
        while True:
            yield "x" * 16384

    def think(self, path, request):
        while not Path(path).exists():
            time.sleep(PACE_S)
            yield Delta()
        yield "thought"

    def ponder(self, text, request):
        while not request.cancelled():
            time.sleep(PACE_S)
        tell("noticed")
        yield "too late"

    def sleep(self, text, request):
        time.sleep(float(text))
        yield "awake"

    def fail(self, text, request):
        yield from ("fine " for _ in range(int(text)))
        raise RuntimeError("the engine's own words")

    def refuse(self, text, request):
        raise ContextLengthExceededError("the prompt has 9000 tokens, the context 2048")
        yield

    def leave(self, text, request):
        yield "bye"
        sys.exit("the engine called exit")

    def close(self):
        tell("engine closed")


class OutOfMemoryError(RuntimeError):
    """What torch calls its own; the core can't import that."""


class CompletingEngine:
    def complete(self, request):
        yield from (request.prompt, "!")


FAILURES = {
    "bad file": InvalidModelFileError("'/models/tiny.gguf' is truncated;\nfetch it again"),
    "no file": FileNotFoundError(errno.ENOENT, "No such file or directory", "/models/tiny.gguf"),
    "no other file": FileNotFoundError(errno.ENOENT, "No such file or directory", "/nowhere/cache"),
    "no engine": ImportError("No module named 'engine'"),
    "no memory": MemoryError(),
    "no memory for a map": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "no memory on the device": OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "crash": RuntimeError("out of something"),
    "exit": SystemExit(7),
}


held = []
"""Memory of the engine, and then of its weights."""


def load(plan, progress):
    script = plan.options
    held.append(b"x" * script.get("engine_bytes", 0))
    if script.get("begins"):
        progress(0.0)
    held.append(b"x" * script.get("weights_bytes", 0))
    progress(0.2)
    if gate := script.get("gate"):
        progress(0.4)
        while not Path(gate).exists():
            time.sleep(PACE_S)
    if what := script.get("load"):
        raise FAILURES[what]
    return CompletingEngine() if script.get("completes") else Engine()


if __name__ == "__main__":
    serve(load)
