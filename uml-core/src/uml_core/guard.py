"""Stand between the supervisor and one engine, so that nothing survives either of them.

Runs as ``python -I -S guard.py --parent PID --control FD --report FD [--close FD …] -- ENGINE ARGUMENTS…`` and imports
nothing but the standard library, so that it starts in milliseconds and can't be broken by a plugin.

The engine needs to cooperate in nothing: it may hold the GIL in C for minutes, ignore TERM, or leave grandchildren in
sessions of their own. The guard is their subreaper, so that whoever loses its parent becomes the guard's child.

Control (one byte each): ``T`` sends TERM to the engine's group, ``A`` sends ABRT to the engine so that it dumps its
stacks, ``K`` kills everything, end of file kills everything.
Report (a JSON line each): ``started {pid}``, ``exited {code, signal}``, ``gone {killed}``.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CHECK_PARENT_S = 1.0
LINUX = sys.platform == "linux"


def prctl(option: int, value: int) -> None:
    """Set a process attribute, on Linux; elsewhere the control pipe alone tells of the parent's death."""
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class Guard:
    """One engine, the pipes to its supervisor, and everything that the engine ever started."""

    def __init__(self, *, parent: int, control: int, report: int) -> None:
        self.parent = parent
        self.control = control
        self.report = report
        self.engine = 0
        self.killed: set[int] = set()
        self.wake, wake_end = os.pipe()
        os.set_blocking(wake_end, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)

    def tell(self, event: str, **facts: object) -> None:
        """Report to the supervisor; if it is gone there is nobody to tell."""
        with contextlib.suppress(OSError):
            os.write(self.report, json.dumps({"event": event, **facts}).encode() + b"\n")

    def orphaned(self) -> bool:
        return os.getppid() != self.parent

    def start(self, argv: list[str], close: list[int]) -> None:
        """Fork the engine into a session of its own. The guard has one thread, so that fork is safe here."""
        guard = os.getpid()
        self.engine = os.fork()
        if self.engine == 0:
            self._become(argv, guard)
        for descriptor in close:
            os.close(descriptor)
        let_go_of_output()
        self.tell("started", pid=self.engine)

    def _become(self, argv: list[str], guard: int) -> None:
        try:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guard:  # it died between fork and prctl
                os._exit(0)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.close(self.control)
            os.close(self.report)
            offer_to_oom_killer()
            os.execvp(argv[0], argv)  # noqa: S606
        except OSError as error:
            os.write(2, f"can't start {argv[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def watch(self) -> None:
        """Wait for the engine's end, an order, or the supervisor's death; leave when nothing is left."""
        readable = [self.control, self.wake]
        while not self.reap():
            ready, _, _ = select.select(readable, [], [], CHECK_PARENT_S)
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 512)
            if self.control in ready and not self.obey(os.read(self.control, 64)):
                break
            if self.orphaned():
                break
        self.sweep()

    def obey(self, orders: bytes) -> bool:
        """Follow orders; False when everything is to be killed."""
        if not orders or b"K" in orders:
            return False
        with contextlib.suppress(ProcessLookupError):
            if b"A" in orders:
                os.kill(self.engine, signal.SIGABRT)
                os.kill(self.engine, signal.SIGCONT)  # one that was stopped would never take it
            if b"T" in orders:
                os.killpg(self.engine, signal.SIGTERM)
        return True

    def reap(self) -> bool:
        """Collect who has ended; True once the engine has."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if self.note(pid, status):
                return True

    def note(self, pid: int, status: int) -> bool:
        if pid != self.engine:
            return False
        code = os.waitstatus_to_exitcode(status)
        self.tell("exited", code=code if code >= 0 else None, signal=-code if code < 0 else None)
        return True

    def sweep(self) -> None:
        """Kill the group, then whoever was adopted, until the kernel says that no child is left."""
        pause_s = 0.002
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.engine, signal.SIGKILL)
        while True:
            for pid in children(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed.add(pid)
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid:
                self.note(pid, status)
            else:  # a process in uninterruptible sleep keeps the guard, and so the slot's lock, until it goes
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, 0.25)
        self.tell("gone", killed=sorted(self.killed - {self.engine}))


def let_go_of_output() -> None:
    """Leave the output pipe to the engine, so that its end is the engine's end and its last words are in by then."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)


def offer_to_oom_killer() -> None:
    """Let the kernel take the engine before the gateway when memory runs out."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("500")


def children(pid: int) -> list[int]:
    """Direct children of *pid*, adopted ones too; empty where there is no /proc (there the group has been killed)."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
        lists = [open(f"/proc/{pid}/task/{task}/children").read() for task in tasks]  # noqa: PTH123, SIM115
    except OSError:
        return []
    return [int(word) for line in lists for word in line.split()]


def main(argv: list[str]) -> None:
    split = argv.index("--")
    words, command = argv[:split], argv[split + 1 :]
    flags = list(zip(words[::2], (int(word) for word in words[1::2]), strict=True))
    one = dict(flags)
    guard = Guard(parent=one["--parent"], control=one["--control"], report=one["--report"])
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # only to wake select(): the loop looks at what happened
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    # Not SIGKILL: the guard must live to kill. Linux sends it when the *thread* that started us ends, so that the
    # loop checks getppid() before it believes it.
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if guard.orphaned():
        return
    guard.start(command, [value for name, value in flags if name == "--close"])
    guard.watch()


if __name__ == "__main__":
    main(sys.argv[1:])
