"""The limits that a container or a service puts on this process: Linux control groups, version 1 and 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from attrs import frozen

PROC = Path("/proc/self")
PROCESSES = Path("/proc")


@frozen(kw_only=True)
class Limits:
    """What the groups of this process allow, None where they say nothing; ``cores`` is processor time in cores."""

    cores: float | None = None
    memory_bytes: int | None = None
    free_memory_bytes: int | None = None


def read_cgroups(*, proc: Path = PROC) -> Limits:
    """Read the tightest limits of the groups that this process is in."""
    try:
        groups = list(_groups(proc))
    except OSError:  # no Linux, or no /proc
        return Limits()
    cores = [limit for name, folder in groups if name == "cpu" and (limit := _cores(folder))]
    memory = [limits for name, folder in groups if name == "memory" and (limits := _memory(folder))]
    return Limits(
        cores=min(cores, default=None),
        memory_bytes=min((total for total, _ in memory), default=None),
        free_memory_bytes=min((free for _, free in memory), default=None),
    )


def oom_kills(pid: int | None = None, *, proc: Path = PROCESSES) -> int | None:
    """Count how often the kernel has killed for want of memory in the control group of *pid*, since there is the group.

    A rise says that somebody in that group was killed, not who. Kills are counted where the killed process was: what
    happens in groups below isn't seen. None: the process has ended, or its group keeps no such count (no Linux, a root
    group of version 2, a container that doesn't show its groups).

    :param pid: None is this process; its children share its group unless somebody moves them
    """
    return oom_counter(pid, proc=proc)()


def oom_counter(pid: int | None = None, *, proc: Path = PROCESSES) -> Callable[[], int | None]:
    """What :func:`oom_kills` reads, to be read again when *pid* has ended: then it's in no group any more."""
    try:
        groups = list(_groups(proc / ("self" if pid is None else str(pid))))
    except OSError:
        groups = []
    folder = next((folder for name, folder in groups if name == "memory" and _oom_kills(folder) is not None), None)
    return lambda: _oom_kills(folder) if folder else None


def _groups(proc: Path) -> Iterator[tuple[str, Path]]:
    """Name a controller and a folder: for each controller this process's group and the groups around it."""
    paths = _paths(proc)
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ")[:3]
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, mount = before.split(" ")[3:5]
        for name in ("cpu", "memory"):
            path = paths.get("" if kind == "cgroup2" else name)
            if path is not None and (kind == "cgroup2" or name in options.split(",")):
                yield from ((name, folder) for folder in _upward(Path(mount), root=root, path=path))


def _paths(proc: Path) -> Mapping[str, str]:
    """The group's path for each controller; version 2 is the one without a name."""
    found = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        found.update(dict.fromkeys(names.split(","), path))
    return found


def _upward(mount: Path, *, root: str, path: str) -> Iterator[Path]:
    # In a container the mount shows only the part of the tree below *root*, or the path leads out of it ("/../x").
    inside = PurePosixPath(path)
    inside = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
    folder = mount / inside
    while folder != mount and mount in folder.parents:
        yield folder
        folder = folder.parent
    yield mount


def _cores(folder: Path) -> float | None:
    words = _words(folder / "cpu.max")
    words = words or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
    limited = len(words) == 2 and all(word.isdecimal() for word in words)  # "max" or -1 is no limit
    return int(words[0]) / int(words[1]) if limited else None


def _memory(folder: Path) -> tuple[int, int] | None:
    """The limit in bytes and what is left of it; memory that only caches files can be taken back, so it's left."""
    limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
    used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
    if limit is None or limit >= 2**60:  # version 1 says "no limit" so
        return None
    words = _words(folder / "memory.stat")
    stat = dict(zip(words[::2], words[1::2], strict=False))
    cached = sum(int(stat.get(f"total_{name}", stat.get(name, 0))) for name in ("active_file", "inactive_file"))
    return limit, max(0, min(limit, limit - used + cached))


def _oom_kills(folder: Path) -> int | None:
    # memory.events adds up the groups below, but before Linux 5.2 it is all there is.
    for file in ("memory.events.local", "memory.events", "memory.oom_control"):
        words = _words(folder / file)
        count = dict(zip(words[::2], words[1::2], strict=False)).get("oom_kill", "")
        if count.isdecimal():
            return int(count)
    return None


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].isdecimal() else None


def _words(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text().split())
    except OSError:
        return ()
