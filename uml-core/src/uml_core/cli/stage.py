"""How far a job is, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from uml_core.cli.output import human_bytes, human_seconds

SOURCES = {"worker": "by the worker", "log": "by its log", "memory": "by its memory", "time": "by earlier loads"}
ENDED = frozenset({"committed", "rolled_back", "failed", "cancelled"})


@frozen(kw_only=True)
class Stage:
    """What is being done, and what is known of it.

    ``part`` is 0 to 1, None when nobody knows; ``source`` is who knows, in words; ``elapsed_s`` is of the whole job,
    ``eta_s`` until its end; both are as of the moment when they were told.
    """

    label: str
    part: float | None = None
    source: str = ""
    bytes_done: int | None = None
    bytes_total: int | None = None
    elapsed_s: float | None = None
    eta_s: float | None = None

    def facts(self, since_s: float = 0.0) -> list[str]:
        """What is known, as parts of a sentence, the dispensable last.

        :param since_s: how long ago it was told
        """
        facts = (
            "" if self.part is None else f"{self.part:.0%} {self.source}".rstrip(),
            "" if self.elapsed_s is None else human_seconds(self.elapsed_s + since_s),
            "" if self.eta_s is None else _left(self.eta_s - since_s),
            self._bytes(),
        )
        return [fact for fact in facts if fact]

    def _bytes(self) -> str:
        if not self.bytes_done or not self.bytes_total:
            return ""
        done, total = human_bytes(self.bytes_done), human_bytes(self.bytes_total)
        unit = total.rpartition(" ")[2]
        return f"{done.removesuffix(f' {unit}')} of {total}"


def stage_of(job: Mapping[str, Any] | None, *, leases: int | None = None) -> Stage | None:
    """The stage that a job's view tells of; None when it has ended, or there is none.

    :param leases: how many requests the model answers now, if somebody counted
    """
    if job is None or job["state"] in ENDED:
        return None
    progress: Mapping[str, Any] = job.get("progress") or {}
    stage = str(progress.get("stage") or job["state"])
    if stage == "queued":  # it may have begun in this very moment
        stage = str(job["state"])
    return Stage(
        label=_label(job, stage, leases),
        part=progress.get("part"),
        source=SOURCES.get(progress.get("source") or "", ""),
        bytes_done=progress.get("bytes_done"),
        bytes_total=progress.get("bytes_total"),
        elapsed_s=progress.get("elapsed_s"),
        eta_s=progress.get("eta_s"),
    )


def _left(eta_s: float) -> str:
    seconds = math.ceil(eta_s)
    return "" if seconds <= 0 else f"{seconds} s left" if seconds < 60 else f"{human_seconds(seconds)} left"


def _label(job: Mapping[str, Any], stage: str, leases: int | None) -> str:
    if job["kind"] == "scan":
        return "looking for models" if stage == "listing" else "reading the headers of models"
    before = job.get("previous") or "the model before"
    coming, going = job.get("model") or before, before
    if back := job["state"] == "rolling_back":
        coming, going = going, coming
    said = {
        "queued": f"waiting to {job['kind']} {coming}{_place(job)}",
        "checking": f"checking {coming}",
        "draining": f"draining {_requests(leases)}{going}",
        "unloading": f"unloading {going}",
        "verifying": f"verifying that {going} is gone",
        "waiting": f"waiting a moment before {coming} is started again",
        "launching": f"launching {coming}",
        "loading": f"loading {coming}",
        "probing": f"probing {coming} with one token",
        "rolling back": f"starting {coming} again",
    }.get(stage, f"{stage} {coming}")
    return f"rolling back: {said}" if back else said


def _place(job: Mapping[str, Any]) -> str:
    position = job.get("position") or 0
    return f"; {position} before it" if position > 0 else ""


def _requests(leases: int | None) -> str:
    if not leases:
        return ""
    return "1 request of " if leases == 1 else f"{leases} requests of "
