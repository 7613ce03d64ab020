"""Notice that a model came, went or changed, and have it read: ``watch`` in ``[registry]`` of ``uml.toml``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from types import ModuleType, TracebackType
from typing import Self

from attrs import frozen

from uml_core.errors import ShuttingDownError
from uml_core.server.scans import Scans

REASON = "something has changed in a folder of models"
MISSING = (
    "`watch` is on in [registry] of uml.toml, but the package watchfiles is not installed, so new models are found "
    "only when somebody asks; `pip install 'uml-core[watch]'` adds it"
)
NO_NOTICE = (
    "the system does not tell of changes in the folders of models (%s), so they are walked through every %.0f s; if "
    "there are too many to be watched, `sysctl fs.inotify.max_user_watches=524288` allows more"
)
log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Eagerness:
    """How soon a change is noticed, and how much may be spent on it.

    ``quiet_s``: nothing has to change for so long, which is also how often the thread wakes. ``longest_s``: what never
    gets quiet, such as a download, is looked at so often. ``look_s``: how often it is asked whether whole folders came
    or went, of which nobody tells. ``poll_s``: the interval of walks where the system tells nothing. ``rest``: after a
    scan nothing is done for so many times as long as it took.
    """

    quiet_s: float = 0.5
    longest_s: float = 10.0
    look_s: float = 60.0
    poll_s: float = 30.0
    rest: float = 20.0


class Watching:
    """Scans what has changed below *folders*, as long as the context lasts, and once at its begin.

    The system is asked from a thread, for to begin takes a walk through all folders, and nobody waits for its end.
    """

    def __init__(
        self, folders: Callable[[], Iterable[Path]], scans: Scans, *, eagerness: Eagerness | None = None
    ) -> None:
        """Watch nothing yet.

        :param folders: where models lie or may lie; those that don't exist are watched once they do
        """
        self._folders = folders
        self._scans = scans
        self._eager = eagerness or Eagerness()
        self._changed = asyncio.Event()
        self._over = threading.Event()
        self._polls: bool | None = None  # None: as watchfiles thinks right for the system

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._scan_changes(), name="scans of what has changed")
        threading.Thread(target=self._watch_all, name="watch of the models", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._task.cancel()

    async def _scan_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while (running := self._scans.running) is not None:  # it may have looked there before the change
                await running.over.wait()
            try:
                job = self._scans.begin(REASON)
            except ShuttingDownError:
                return
            await job.over.wait()
            await asyncio.sleep((job.seconds or 0.0) * self._eager.rest)

    def _watch_all(self) -> None:
        """The thread: watch the folders that are there, until others are."""
        try:
            import watchfiles
        except ImportError:
            log.warning(MISSING)
            return
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts changes aloud
        while not self._over.is_set():
            there = _there(self._folders())
            try:
                self._watch(watchfiles, there)
            except Exception as error:  # noqa: BLE001 - each system has its own for having no more watches
                if _there(self._folders()) == there:  # else one of them has just gone
                    self._give_way(error)

    def _watch(self, watchfiles: ModuleType, there: dict[Path, tuple[int, int]]) -> None:
        eager, tells = self._eager, True
        look_s = monotonic() + eager.look_s
        changes = watchfiles.watch(
            *there,
            watch_filter=None,
            debounce=_ms(eager.longest_s),
            step=_ms(eager.quiet_s),
            rust_timeout=_ms(eager.quiet_s),
            yield_on_timeout=True,
            stop_event=self._over,
            raise_interrupt=False,
            force_polling=self._polls,
            poll_delay_ms=_ms(eager.poll_s),
            ignore_permission_denied=True,
        )
        with contextlib.closing(changes):
            for found in changes:
                if tells or found:  # nobody has seen what happened before the first one
                    self._tell()
                    tells = False
                if monotonic() >= look_s:
                    look_s = monotonic() + eager.look_s
                    if _there(self._folders()) != there:
                        return

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._changed.set)

    def _give_way(self, error: Exception) -> None:
        """Do without the system's help from now on; without any help, try again later."""
        if not self._polls:
            log.warning(NO_NOTICE, error, self._eager.poll_s)
        self._over.wait(self._eager.quiet_s if not self._polls else self._eager.look_s)
        self._polls = True


def _there(folders: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """The folders that exist, with what tells one from another of the same name."""
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            if folder.is_dir():
                state = folder.stat()
                found[folder] = state.st_dev, state.st_ino
    return found


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
