"""How a job ended, in sentences: what is loaded now, what became of the model before, and what was freed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from uml_core.cli.output import human_bytes, human_seconds

Job = Mapping[str, Any]


def loaded(job: Job) -> str:
    """``loaded X with B in 1.2 s; context N tokens; before: A (freed 0.4 GB, proven in 0.2 s)``."""
    if not job["switched"]:
        return f"{job['model']} was loaded already, with {job['backend']}; context {job['context_length']} tokens"
    parts = [
        f"loaded {job['model']} with {job['backend']} in {human_seconds(job['seconds'])}",
        f"context {job['context_length']} tokens",
    ]
    if job["previous"]:
        release = job["release"]
        parts.append(f"before: {job['previous']}" + (f" ({_briefly(release)})" if release else ""))
    return "; ".join(parts)


def unloaded(job: Job) -> str:
    """``unloaded A: freed 412 MB of 412 MB (private), nothing left, proven in 0.21 s``."""
    if not job["previous"]:
        return "no model was loaded"
    release = job["release"]
    if not release:
        return f"unloaded {job['previous']}"
    freed, expected = human_bytes(release["freed"]), human_bytes(release["expected"])
    parts = [
        f"unloaded {job['previous']}: freed {freed} of {expected} (private)",
        "; ".join(left_behind(release)) or "nothing left",
        _how(release),
    ]
    return ", ".join(parts)


def left_behind(release: Mapping[str, Any]) -> Iterator[str]:
    """What the end of a worker did not give back."""
    pids = release["leftover_pids"]
    if pids:
        many = "processes" if len(pids) > 1 else "process"
        yield f"{many} {', '.join(map(str, pids))} could not be ended"
    if release["unattributed"]:
        yield f"{human_bytes(release['unattributed'])} are still taken, by nobody that can be seen"


def cancelled(job: Job, *, loaded: str | None) -> str:
    """``cancelled the load of 'X'; 'A' is loaded``; *loaded* is the model that is there now."""
    if job["kind"] == "scan":
        return "cancelled the scan of the models; what it had read is kept"
    said = f"cancelled the {job['kind']} of '{job['model'] or job['previous']}'"
    there = f"'{loaded}' is loaded" if loaded else "no model is loaded now"
    return f"{said}; {aftermath(job) or there}"


def aftermath(job: Job) -> str | None:
    """What became of the model that was loaded before a job that failed; None when there was none, or it goes on."""
    before, seconds = job["previous"], job.get("rollback_seconds")
    if not job["finished"]:
        return None
    if job["rolled_back"]:
        how_long = f" ({human_seconds(seconds)})" if seconds is not None else ""
        return f"rolled back: '{before}' is loaded again with the same options{how_long}, nothing was lost"
    if job["rollback_cause"]:
        why = job["rollback_cause"]["message"]
        return f"and '{before}' could not be brought back either: {why}; no model is loaded now"
    if before and job["kind"] == "load":
        return f"'{before}' was not touched" if not job["release"] else f"'{before}' was unloaded; none is loaded now"
    return None


def result(job: Job) -> str:
    """How a job ended, in a word or three, for a table."""
    state = job["state"]
    if not job["finished"]:
        return ""
    if state == "committed":
        return "done" if job["switched"] or job["kind"] != "load" else "was loaded already"
    code = (job["cause"] or {}).get("code")
    why = f": {code}" if code and code != state else ""
    if job["rolled_back"]:
        return f"{job['previous']} is back{why}"
    return f"{state}{why}"


def _briefly(release: Mapping[str, Any]) -> str:
    freed = f"freed {human_bytes(release['freed'])}"
    return ", ".join([freed, *left_behind(release), _how(release)])


def _how(release: Mapping[str, Any]) -> str:
    seconds = release["seconds"]
    took = f"{seconds:.2f} s" if seconds < 1 else human_seconds(seconds)
    return f"{'proven in' if release['proven'] else 'not proven within'} {took}"
