"""What `uml bench` has learned: how many threads, and how the idle ones wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import harmonic_mean

from attrs import frozen

from uml_core.types import Profile

MARGIN = 1.05
"""Two speeds nearer to each other than this are the same: a machine is never quite as it was."""
Pair = tuple[int, bool | None]


def named(pair: Pair) -> str:
    """``2 threads``, ``1 thread, not spinning``."""
    threads, spin = pair
    waiting = {None: "", True: ", spinning", False: ", not spinning"}[spin]
    return f"{threads} thread{'s' * (threads > 1)}{waiting}"


@frozen(kw_only=True)
class Speeds:
    """Tokens a second, decoding: alone, and beside a process that uses a core; None where it wasn't measured."""

    idle: float | None = None
    busy: float | None = None


@frozen(kw_only=True)
class Learned:
    """Threads and spin that were better here than the default ones, and how fast both were."""

    threads: int
    spin: bool | None
    speeds: Speeds
    default: Speeds

    @property
    def reason(self) -> str:
        """A part of a sentence: ``1 thread that sleeps while idle was learned here: 62 against 83 tokens/s …``."""
        return f"`uml bench` learned {named((self.threads, self.spin))}: {_compared(self.speeds, self.default)}"


def learned(profiles: Iterable[Profile], *, backend: str, default: Pair) -> Learned | None:
    """Choose the pair that was fastest on a machine which is busy half of the time; None if it's the default one.

    That is the harmonic mean of both speeds; the idle one alone where no busy one was measured. The pairs of one run
    are compared, which have one moment: the newest run that tried the default one and another.

    :param profiles: of one model on this machine
    :param default: threads and spin without having learned anything
    """
    run = tried(profiles, backend=backend, default=default)
    if run is None:
        return None
    scores = _scores(run, default)
    threads, spin = best = max(scores, key=lambda pair: (scores[pair], -pair[0]))
    if scores[best] <= scores[default] * MARGIN:
        return None
    return Learned(threads=threads, spin=spin, speeds=run[best], default=run[default])


def tried(profiles: Iterable[Profile], *, backend: str, default: Pair) -> Mapping[Pair, Speeds] | None:
    """The newest run in which the default pair and another one can be compared; None if there was none."""
    for run in _runs(profile for profile in profiles if profile.backend == backend):
        scores = _scores(run, default)
        if default in scores and len(scores) > 1:
            return run
    return None


def _scores(run: Mapping[Pair, Speeds], default: Pair) -> Mapping[Pair, float]:
    """The pairs that can be compared: where the default one was measured beside a busy process, the others have to."""
    both = default in run and run[default].busy is not None
    return {pair: score for pair, speeds in run.items() if (score := _score(speeds, both=both))}


def _score(speeds: Speeds, *, both: bool) -> float | None:
    if speeds.idle is None or (both and speeds.busy is None):
        return None
    return harmonic_mean([speeds.idle, speeds.busy or 0.0]) if both else speeds.idle


def _runs(profiles: Iterable[Profile]) -> Sequence[Mapping[Pair, Speeds]]:
    """The pairs of each run, the newest run first."""
    runs: dict[datetime, dict[tuple[Pair, bool], float]] = {}
    for profile in profiles:
        if profile.source == "bench" and profile.decode_tokens_per_s:
            run = runs.setdefault(profile.measured, {})
            run.setdefault(((profile.threads, profile.spin), profile.busy), profile.decode_tokens_per_s)
    return [_paired(runs[moment]) for moment in sorted(runs, reverse=True)]


def _paired(run: Mapping[tuple[Pair, bool], float]) -> Mapping[Pair, Speeds]:
    pairs = dict.fromkeys(pair for pair, _ in run)
    return {pair: Speeds(idle=run.get((pair, False)), busy=run.get((pair, True))) for pair in pairs}


def _compared(new: Speeds, old: Speeds) -> str:
    alone = f"{new.idle:.0f} against {old.idle:.0f} tokens/s" if new.idle and old.idle else ""
    if new.busy is None or old.busy is None:
        return alone
    return f"{alone} alone, {new.busy:.0f} against {old.busy:.0f} beside a busy process"
