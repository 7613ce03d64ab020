"""Feed a reader with damaged files, and look at what comes out of it: nothing but a refusal, at once, and small.

Each `fuzz_*.py` is a program:

    python fuzz/fuzz_gguf.py [--seconds 60] [--runs N] [--seed 4] [--own] [--into FOLDER] [FILE ...]

It runs under Atheris (https://github.com/google/atheris) if that is installed, and else, or with ``--own``, under a
mutator of our own, which does the same for the same seed. An input that breaks a promise is left in FOLDER; named as a
FILE, it is tried again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import os
import re
import resource
import signal
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from mutator import Mutator

CPU_S = 2.0
HANGS_S = 20.0
MEMORY_BYTES = 64 * 2**20
INPUT_BYTES = 2**20
SPACE_BYTES = 4 * 2**30
TRACED = 32
GROWN_KIB = 16 * 2**10

Check = Callable[[Path, bytes], None]
"""Writes an input below a folder and has it read."""


class Broken(BaseException):
    """A promise was broken: no reader may catch this."""


def instrumented() -> AbstractContextManager[object]:
    """What the readers must be imported in, so that Atheris sees which lines an input reaches."""
    if "--own" in sys.argv or importlib.util.find_spec("atheris") is None:
        return contextlib.nullcontext()
    import atheris

    return atheris.instrument_imports(include=["uml_core"])


class Runner:
    """Runs *check* on inputs, in the folder *work*, and holds it to what readers promise."""

    def __init__(self, check: Check, work: Path, *, into: Path) -> None:
        self.runs = 0
        self._check = check
        self._work = work
        self._into = into
        self._peak_kib = _peak_kib()

    def __call__(self, data: bytes) -> str:
        """Try *data*, and say in a word or two what came out."""
        self.runs += 1
        try:
            outcome = self._timed(data, traced=self.runs % TRACED == 0)
            peak_kib = _peak_kib()
            if peak_kib > self._peak_kib + GROWN_KIB:
                self._peak_kib = peak_kib
                self._timed(data, traced=True)
        except (Exception, Broken):
            print(f"broken by {self._keep(data)}", file=sys.stderr)
            raise
        return outcome

    def _timed(self, data: bytes, *, traced: bool) -> str:
        signal.setitimer(signal.ITIMER_REAL, HANGS_S)
        begin = time.process_time()
        try:
            outcome, peak_bytes = self._traced(data) if traced else (self._outcome(data), 0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        cpu_s = time.process_time() - begin
        if cpu_s > CPU_S * (4 if traced else 1):  # to look at each allocation takes its time
            raise Broken(f"{len(data)} bytes took {cpu_s:.1f} s")
        if peak_bytes > MEMORY_BYTES and len(data) < INPUT_BYTES:
            raise Broken(f"{len(data)} bytes took {peak_bytes // 2**20} MiB")
        return outcome

    def _traced(self, data: bytes) -> tuple[str, int]:
        tracemalloc.start()
        try:
            return self._outcome(data), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def _outcome(self, data: bytes) -> str:
        from uml_core.errors import InvalidModelFileError

        try:
            self._check(self._work, data)
        except InvalidModelFileError as refusal:
            return re.sub(r"'[^']*'|\d+", "", str(refusal))
        return "read"

    def _keep(self, data: bytes) -> Path:
        self._into.mkdir(parents=True, exist_ok=True)
        path = self._into / f"{Path(sys.argv[0]).stem}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        return path


def _peak_kib() -> int:
    """The most memory that this program has held; ``getrusage`` would count the one that started it as well."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(check: Check, *, seeds: list[bytes], words: list[bytes]) -> None:
    """Run as a program."""
    options = _options()
    signal.signal(signal.SIGALRM, _hangs)
    resource.setrlimit(resource.RLIMIT_AS, (SPACE_BYTES, SPACE_BYTES))
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as work:
        runner = Runner(check, Path(work), into=options.into)
        if options.files:
            print(*(f"{path}: {runner(path.read_bytes())}" for path in options.files), sep="\n")
        elif options.own or importlib.util.find_spec("atheris") is None:
            _own(runner, options, seeds=seeds, words=words)
        else:
            _atheris(runner, options, seeds=seeds, words=words, work=Path(work))


def _own(runner: Runner, options: argparse.Namespace, *, seeds: list[bytes], words: list[bytes]) -> None:
    mutator = Mutator(seeds, words=words, seed=options.seed)
    for data in seeds:
        mutator.learn(data, runner(data))
    until = time.monotonic() + options.seconds
    while runner.runs < options.runs if options.runs else time.monotonic() < until:
        data = mutator.next()
        mutator.learn(data, runner(data))
    print(f"{runner.runs} inputs, {len(mutator.outcomes)} kinds of answers, none wrong")


def _atheris(
    runner: Runner, options: argparse.Namespace, *, seeds: list[bytes], words: list[bytes], work: Path
) -> None:
    import atheris

    corpus, dictionary = work / "corpus", work / "words"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words))
    limits = [
        f"-max_total_time={options.seconds}",
        f"-runs={options.runs or -1}",
        "-max_len=65536",
        "-rss_limit_mb=2048",
    ]
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-dict={dictionary}",
        f"-seed={options.seed}",
        *limits,
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, lambda data: runner(data) and None)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--own", action="store_true", help="our own mutator, also where Atheris is installed")
    parser.add_argument("--into", type=Path, default=Path(__file__).with_name("found"))
    parser.add_argument("files", nargs="*", type=Path)
    return parser.parse_args()


def _hangs(*_: object) -> Iterator[None]:
    raise Broken(f"it hangs: {HANGS_S:.0f} s, and no end")


def _fast_folder() -> str | None:
    """A folder in memory, where the system has one: each input is a file."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
