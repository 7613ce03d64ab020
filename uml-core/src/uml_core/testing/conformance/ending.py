"""How a worker ends: when it is told to, and when its parent is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import frozen

from uml_core.supervisor.process import kill_marked, marked
from uml_core.testing.conformance import child
from uml_core.testing.conformance.child import Named
from uml_core.testing.conformance.live import Live
from uml_core.testing.conformance.parent import hold
from uml_core.testing.conformance.running import Running
from uml_core.testing.conformance.subject import own_settings
from uml_core.testing.conformance.witness import Witness
from uml_core.types import Launch, LoadRequest, WorkerExit

GONE_S = 10.0
"""How long processes may outlive a parent that was killed."""


@frozen(kw_only=True)
class Ended:
    """What was left of a worker that was loaded and unloaded."""

    witness: Witness
    survivors: list[psutil.Process]
    run_dir_left: bool

    @property
    def launch(self) -> Launch:
        return self.witness.launches[-1]

    @property
    def exit(self) -> WorkerExit:
        return self.witness.exits[-1]


class EndingTests(Running):
    """That nothing of a worker is left, however it ends."""

    @pytest.fixture(scope="class")
    @classmethod
    def ended(
        cls, sample: Path, tmp_path_factory: pytest.TempPathFactory, request_to_load: LoadRequest
    ) -> Iterator[Ended]:
        """A worker that was loaded, and unloaded while it was ready."""
        settings = own_settings(tmp_path_factory.mktemp("uml"), cls.plugin, cls.settings)
        live = Live.start(cls.plugin, sample, settings, request_to_load)
        try:
            live.load()
            launch = live.witness.launches[-1]
            live.do(live.supervisor.unload())
            yield Ended(witness=live.witness, survivors=marked(launch.launch_id), run_dir_left=launch.run_dir.exists())
        finally:
            live.stop()

    def test_term_ends_the_worker(self, ended: Ended) -> None:
        """A ready worker ends within its grace when it gets TERM.

        A failure means that each unload waits for the whole grace and then kills, so that the engine can't close what
        it holds. Don't ignore TERM; if the engine needs longer, raise ``stop_grace_s``.
        """
        assert ended.exit.signal != signal.SIGKILL, f"it had to be killed; {ended.exit}"
        assert ended.exit.code in {0, None}, f"{ended.exit}: {ended.exit.log_tail}"

    def test_no_process_is_left(self, ended: Ended) -> None:
        """After an unload no process of the launch exists.

        A failure means that memory and devices stay taken. The engine starts processes that leave its group and its
        environment: end them in the worker.
        """
        assert not ended.survivors

    def test_run_folder_is_gone(self, ended: Ended) -> None:
        """The private folder of the launch is removed.

        A failure means that the token stays on the disk: something writes into ``launch.run_dir`` after the worker.
        """
        assert not ended.run_dir_left

    def test_cleanup_is_called_once(self, ended: Ended) -> None:
        """``uml_cleanup_worker`` is called exactly once for a launch, and doesn't raise.

        A failure with an exception is in your implementation: what a worker left may be gone already.
        """
        assert len(ended.witness.exits) == len(ended.witness.launches) == 1
        assert not ended.witness.failed_cleanups

    @pytest.mark.parametrize("moment", ["loading", "ready"])
    def test_dies_with_its_parent(
        self, moment: str, sample: Path, tmp_path: Path, request_to_load: LoadRequest
    ) -> None:
        """No process is left after the gateway was killed with -9, while it loaded and when it was ready.

        A failure means that a crashed gateway leaves a worker which holds the memory for ever. Core's guard kills the
        worker's tree; a process that leaves the tree and drops its environment can't be found: don't start daemons.
        """
        settings = own_settings(tmp_path, self.plugin, self.settings)
        parent = child.start(hold, Named.of(self.plugin), sample, settings, request_to_load)
        launch_id = ""
        try:
            launch_id = wait_for(parent, f"state {moment}")
            wait_until(lambda: len(marked(launch_id)) >= 2, "the guard and the engine have not started")
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
            wait_until(lambda: not marked(launch_id), f"processes are left {GONE_S:.0f} s after their parent's end")
        finally:
            parent.kill()
            parent.wait()
            if parent.stdout:
                parent.stdout.close()
            if launch_id:
                kill_marked(launch_id)


def wait_for(parent: subprocess.Popen[bytes], words: str) -> str:
    """Read what *parent* tells until it says *words*; the id of its launch."""
    launch_id = ""
    assert parent.stdout
    for line in parent.stdout:
        said = line.decode().strip()
        if said.startswith("launch "):
            launch_id = said.removeprefix("launch ")
        if said == words:
            return launch_id
    pytest.fail(f"the parent ended before it said '{words}'; see stderr")


def wait_until(condition: Any, otherwise: str) -> None:
    """Look every 20 ms, for at most 10 s."""
    deadline = time.monotonic() + GONE_S
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)
