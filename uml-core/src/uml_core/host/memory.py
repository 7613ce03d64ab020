"""The memory that this process may use, and what other processes hold of it.

What counts as what: *anonymous* memory (heap, KV cache, weights that were read into buffers) is a process's own and is
free again when the process ends. *File* memory is mapped files, a model's weights as a rule: even if one process alone
maps them they are the system's cache, which its end doesn't empty and which other processes may share. *Shared* memory
(``/dev/shm``, memfd, a model mapped from a tmpfs) lives as long as its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil
from attrs import frozen

from uml_core.host.cgroup import PROCESSES, Limits, read_cgroups


@frozen(kw_only=True)
class TreeMemory:
    """What some processes hold together, in bytes.

    ``private_bytes`` is anonymous memory and huge pages, each page counted once: what the end of the tree gives back.
    ``shared_bytes`` is the tree's proportional share (PSS) of file and shared memory. ``rss_bytes`` and ``anon_bytes``
    (anonymous and shared memory) are sums of what each process counts, so a page that two share is in them twice.
    ``fds`` are open descriptors (handles on Windows), ``pids`` the processes that could be measured.

    Where the kernel keeps no ``smaps_rollup`` (macOS, Windows, gVisor) ``private_bytes`` and ``anon_bytes`` are what
    psutil calls USS, which counts a file that nobody else maps, and ``shared_bytes`` is the rest of RSS.
    """

    private_bytes: int = 0
    shared_bytes: int = 0
    rss_bytes: int = 0
    anon_bytes: int = 0
    fds: int = 0
    pids: tuple[int, ...] = ()


def measure_memory(limits: Limits) -> tuple[int, int]:
    """Give all and free memory in bytes: the machine's, or the control group's where that is less."""
    machine = psutil.virtual_memory()
    total = min(machine.total, limits.memory_bytes or machine.total)
    return total, min(machine.available, total if limits.free_memory_bytes is None else limits.free_memory_bytes)


def available_bytes() -> int:
    """Memory that can be had now without swapping, within the limits of this process's control group."""
    return measure_memory(read_cgroups())[1]


def measure_tree(pids: Iterable[int], *, proc: Path = PROCESSES) -> TreeMemory:
    """Measure processes exactly; one that is gone, a zombie, or not ours counts nothing.

    Blocks for about 10 ms a gigabyte, as the kernel looks at each mapped page. To look often, take
    :func:`quick_anon_bytes`.
    """
    each = [one for pid in dict.fromkeys(pids) if (one := _measure(pid, proc))]
    return TreeMemory(
        private_bytes=sum(one.private_bytes for one in each),
        shared_bytes=sum(one.shared_bytes for one in each),
        rss_bytes=sum(one.rss_bytes for one in each),
        anon_bytes=sum(one.anon_bytes for one in each),
        fds=sum(one.fds for one in each),
        pids=tuple(pid for one in each for pid in one.pids),
    )


def quick_anon_bytes(pids: Iterable[int], *, proc: Path = PROCESSES) -> int:
    """Anonymous and shared memory of processes, without mapped files; 0.1 ms each, however much they hold.

    A page that two of them share is counted twice. Elsewhere than on Linux it is RSS, mapped files included.
    """
    return sum(_anonymous(sizes) for pid in dict.fromkeys(pids) if (sizes := _status(pid, proc)))


def resident_bytes(pids: Iterable[int], *, proc: Path = PROCESSES) -> int:
    """All memory of processes that is in RAM now; it grows while weights are loaded, mapped files count as well.

    A page that two of them share is counted twice; 0.1 ms each.
    """
    return sum(_status(pid, proc).get("VmRSS", 0) for pid in dict.fromkeys(pids))


def _measure(pid: int, proc: Path) -> TreeMemory | None:
    try:
        return _by_kernel(pid, proc / str(pid))
    except FileNotFoundError:  # the process is gone, or the system has no such file
        return _by_psutil(pid)
    except OSError:
        return None


def _by_kernel(pid: int, folder: Path) -> TreeMemory:
    pages, status = _sizes(folder / "smaps_rollup"), _sizes(folder / "status")
    anonymous = pages.get("Pss_Anon", pages.get("Anonymous", 0))  # Linux before 5.4 knows no Pss_Anon
    return TreeMemory(
        private_bytes=anonymous + pages.get("Private_Hugetlb", 0),
        shared_bytes=max(0, pages.get("Pss", 0) - anonymous),
        rss_bytes=pages.get("Rss", 0),
        anon_bytes=_anonymous(status),
        fds=sum(1 for _ in (folder / "fd").iterdir()),
        pids=(pid,),
    )


def _by_psutil(pid: int) -> TreeMemory | None:
    try:
        process = psutil.Process(pid)
        memory = process.memory_full_info()
        fds = getattr(process, "num_fds", None) or process.num_handles  # type: ignore[attr-defined]
        private = getattr(memory, "uss", memory.rss)
        shared = max(0, memory.rss - private)
        return TreeMemory(
            private_bytes=private, shared_bytes=shared, rss_bytes=memory.rss, anon_bytes=private, fds=fds(), pids=(pid,)
        )
    except (psutil.Error, OSError):
        return None


def _status(pid: int, proc: Path) -> Mapping[str, int]:
    try:
        return _sizes(proc / str(pid) / "status")
    except FileNotFoundError:
        try:
            return {"VmRSS": psutil.Process(pid).memory_info().rss}
        except (psutil.Error, OSError):
            return {}
    except OSError:
        return {}


def _anonymous(status: Mapping[str, int]) -> int:
    return status["RssAnon"] + status.get("RssShmem", 0) if "RssAnon" in status else status.get("VmRSS", 0)


def _sizes(path: Path) -> Mapping[str, int]:
    """Lines like ``VmRSS:   1692 kB``, in bytes."""
    lines = (line.split() for line in path.read_bytes().decode("utf-8", "replace").splitlines())
    return {words[0][:-1]: int(words[1]) * 1024 for words in lines if len(words) == 3 and words[2] == "kB"}
