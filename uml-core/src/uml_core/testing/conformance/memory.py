"""What the backend says of memory: what the planner may decide, which devices count, how much a load takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest

from uml_core.host import probe_host
from uml_core.plugins import Plugins
from uml_core.testing.conformance.subject import Subject
from uml_core.types import (
    HOST,
    BackendInfo,
    DeviceKind,
    Knob,
    Launch,
    Match,
    MemoryEstimate,
    MemoryKind,
    MemoryPart,
    ModelSource,
    Plan,
)

PLACE = re.compile(rf"{HOST}|(?:{'|'.join(get_args(DeviceKind))}):\d+")
FOREIGN_LINES = ("", " ", "\x00\ufffd" * 40, "x" * 100_000, "12 34 MiB of 5678 MiB = 9%", "{}", "Error: " + "= " * 1000)


class MemoryTests(Subject):
    """That the plan can rely on what the backend says; a backend that says nothing of memory passes as well."""

    def test_knobs_are_options(self, info: BackendInfo) -> None:
        """Each knob is an option of the backend, which is None as long as nobody says anything.

        A failure means that the planner would decide something that the backend then refuses, or takes a default for
        what the user said. ``BackendInfo.knobs`` maps words of :data:`~uml_core.types.Knob` to names of options;
        give those the default ``None``, and let the worker put the engine's own value in its place.
        """
        strange = set(info.knobs) - set(get_args(Knob))
        assert not strange, f"the planner has no such knobs: {strange}"
        fields = info.options.model_fields
        for name in info.knobs.values():
            assert name in fields, f"there is no option '{name}'"
            assert fields[name].default is None, f"the option '{name}' has a default of its own"

    def test_parallel_is_a_number_of_sequences(self, info: BackendInfo) -> None:
        """The most sequences at once are at least one, or None for no bound.

        A failure names ``BackendInfo.parallel``.
        """
        assert info.parallel is None or info.parallel >= 1

    def test_devices_are_known(
        self, loaded: Plugins, info: BackendInfo, source: ModelSource, table: Mapping[str, Any]
    ) -> None:
        """The accelerators of the ``Match`` are of kinds that the core knows, each once.

        A failure means that nothing would be planned for them. ``Match.devices`` has the kinds that the engine, as it
        is installed, can use, whether there is such a device here or not.
        """
        self.need_engine()
        host = probe_host(devices=False)
        verdict = loaded.ask(info.name, "uml_detect_backend", model=source, host=host, settings=table)
        devices = verdict.devices if isinstance(verdict, Match) else ()
        assert set(devices) <= set(get_args(DeviceKind)), f"not of {get_args(DeviceKind)}: {devices}"
        assert len(set(devices)) == len(devices), f"twice in {devices}"

    def test_estimate_makes_sense(self, loaded: Plugins, plan: Plan) -> None:
        """What ``uml_estimate_memory`` says of the sample can be put into a plan, and asking leaves nothing behind.

        A failure names the part that is wrong: a device or a kind that does not exist or comes twice, an interval that
        does not hold its own value, or a child process that goes on. Say nothing (``None``) of what you don't know.
        """
        self.need_engine()
        card = next(card for card in loaded.cards if card.name == "subject")
        if "uml_estimate_memory" not in card.hooks:
            pytest.skip(f"{type(self).__name__} leaves the estimate to the core")
        children = set(psutil.Process().children())
        estimate = loaded.ask(plan.backend, "uml_estimate_memory", plan=plan, host=probe_host(devices=False))
        assert set(psutil.Process().children()) <= children, "a child process goes on"
        assert estimate is None or isinstance(estimate, MemoryEstimate)
        check_parts(estimate.parts if estimate else ())

    def test_foreign_lines_tell_nothing(self, loaded: Plugins, plan: Plan, tmp_path: Path) -> None:
        """The readers of the log take any line.

        A failure means that a line which your engine, or a library of it, may write some day ends in an exception, or
        is read as memory. Return None from ``WorkerCommand.memory`` and ``progress`` for what you don't know.
        """
        launch = Launch(generation=1, launch_id="1", host="127.0.0.1", port=1, token="", run_dir=tmp_path)
        command = loaded.ask(plan.backend, "uml_launch_worker", plan=plan, launch=launch)
        for read in filter(None, (command.memory, command.progress)):
            assert [line for line in FOREIGN_LINES if read(line) is not None] == []


def check_parts(parts: Iterable[MemoryPart]) -> None:
    """That the parts can be put into a plan."""
    seen = set()
    for part in parts:
        assert PLACE.fullmatch(part.device), f"'{part.device}' is neither '{HOST}' nor a device such as cuda:0"
        assert part.kind in get_args(MemoryKind), f"'{part.kind}' is no kind of memory"
        assert 0 <= part.low_bytes <= part.size_bytes <= part.high_bytes, f"{part} is not within its own interval"
        assert (part.device, part.kind) not in seen, f"{part.kind} of {part.device} comes twice"
        seen.add((part.device, part.kind))
