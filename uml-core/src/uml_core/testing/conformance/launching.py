"""The command of ``uml_launch_worker``, without starting it."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest
from attrs import evolve

from uml_core.plugins import Plugins
from uml_core.testing.conformance.subject import Subject
from uml_core.types import Launch, Plan, WorkerCommand


class LaunchingTests(Subject):
    """That the command is a value: made without effect, the same each time, and without secrets in it."""

    @pytest.fixture
    def launch(self, tmp_path: Path) -> Launch:
        """A launch whose run folder is as the core prepares it."""
        run_dir = tmp_path / "launch"
        run_dir.mkdir(mode=0o700)
        launch = Launch(
            generation=7,
            launch_id="c0ffee",
            host="127.0.0.1",
            port=18655,
            token="a-secret-of-the-kit",  # noqa: S106 - it opens nothing
            run_dir=run_dir,
        )
        launch.token_file.write_text(launch.token)
        return launch

    @pytest.fixture
    def command(self, loaded: Plugins, plan: Plan, launch: Launch) -> WorkerCommand:
        command = loaded.ask(plan.backend, "uml_launch_worker", plan=plan, launch=launch)
        assert isinstance(command, WorkerCommand), f"uml_launch_worker gave {command!r}"
        return command

    def test_launch_is_pure(self, loaded: Plugins, plan: Plan, launch: Launch, command: WorkerCommand) -> None:
        """The same plan and launch give an equal command, and asking has no effect.

        A failure means that what users are shown is not what happens. Start and write nothing in
        ``uml_launch_worker``; take what varies from ``launch`` (its port, its ``run_dir``), and let the worker write.
        """
        children = psutil.Process().children()
        files = sorted(launch.run_dir.rglob("*"))
        again = loaded.ask(plan.backend, "uml_launch_worker", plan=plan, launch=launch)
        assert evolve(again, progress=None, memory=None) == evolve(command, progress=None, memory=None)
        assert sorted(launch.run_dir.rglob("*")) == files == [launch.token_file], "it wrote into the run folder"
        assert psutil.Process().children() == children, "it started a process"

    def test_argv_is_text(self, command: WorkerCommand) -> None:
        """Every word of argv is a string, and the program is there.

        A failure means that the worker can't be started. Convert paths and numbers with ``str()``; a program that is
        not installed is a ``Rejected`` of ``uml_detect_backend``, with a hint.
        """
        assert command.argv, "argv is empty"
        assert all(isinstance(word, str) for word in command.argv), command.argv
        assert all(isinstance(text, str) for pair in command.env.items() for text in pair), "env must be strings"
        assert shutil.which(command.argv[0]), f"there is no program '{command.argv[0]}'"

    def test_token_stays_out_of_argv(self, command: WorkerCommand, launch: Launch) -> None:
        """The token is in no word of argv.

        A failure means that every user of the machine can read it in `ps`. Let the worker read ``launch.token_file`` or
        ``UML_LAUNCH_FILE``, or put it into ``env``.
        """
        assert not any(launch.token in str(word) for word in command.argv)

    def test_limits_make_sense(self, command: WorkerCommand) -> None:
        """Endpoint, readiness path and times are of the kinds that the core knows.

        A failure names the field of ``WorkerCommand``.
        """
        assert command.accepts in {"fd", "port"}
        assert command.ready_path.startswith("/")
        assert command.ready_timeout_s > 0
        assert command.stop_grace_s >= 0
