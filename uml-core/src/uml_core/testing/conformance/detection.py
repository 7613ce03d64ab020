"""The verdict of ``uml_detect_backend``: mine, not mine, or mine but not on this machine."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import evolve

from uml_core.host import probe_host
from uml_core.plugins import Plugins
from uml_core.testing.conformance import child
from uml_core.testing.conformance.child import Named
from uml_core.testing.conformance.subject import Subject, with_plugin
from uml_core.types import BackendInfo, HostInfo, Level, Match, ModelSource, Rejected


class DetectionTests(Subject):
    """That the backend knows its models, and says what is missing."""

    def test_accepts_its_sample(
        self, loaded: Plugins, info: BackendInfo, source: ModelSource, table: Mapping[str, Any]
    ) -> None:
        """The sample gets a ``Match``, with a level, a reason, and tasks of the card.

        A failure means that `uml run` would not choose this backend. Look whether the sample's format, as core or the
        plugin's own ``uml_model_formats`` read it, is in ``BackendInfo.formats``, and what the hook wants.
        """
        self.need_engine()
        assert source.format in info.formats
        verdict = loaded.ask(info.name, "uml_detect_backend", model=source, host=probe_host(), settings=table)
        assert isinstance(verdict, Match), f"its own sample got {verdict!r}"
        assert isinstance(verdict.level, Level)
        assert verdict.reason.strip(), "the reason is what the user reads beside the plan"
        assert set(verdict.tasks or info.tasks) <= set(info.tasks)

    def test_leaves_foreign_formats_alone(
        self, loaded: Plugins, info: BackendInfo, source: ModelSource, table: Mapping[str, Any]
    ) -> None:
        """A model of another format gets ``None``.

        A failure means that the backend claims what it can't load, or complains of models that are none of its
        business: a ``Rejected`` is shown to the user. Return ``None`` unless ``model.format`` is one of yours.
        """
        foreign = evolve(source, format="a-format-of-somebody-else", architecture=None, metadata={})
        verdict = loaded.ask(info.name, "uml_detect_backend", model=foreign, host=probe_host(), settings=table)
        assert verdict is None, f"a foreign format got {verdict!r}"

    def test_says_what_is_missing(
        self, info: BackendInfo, source: ModelSource, tmp_path: Path, table: Mapping[str, Any]
    ) -> None:
        """Without the engine, the verdict is ``Rejected`` with a reason and a hint.

        A failure means that a user without the engine gets a crash while loading, or a sentence without a way out. Ask
        ``importlib.util.find_spec`` (or the configured interpreter) for the engine, without importing it, and return
        ``Rejected("my-engine is not installed", hint="pip install my-engine")``.
        """
        self.need("engine")
        if "python" in table:
            table = {**table, "python": str(bare_interpreter(tmp_path / "bare"))}
        subject = Named.of(self.plugin)
        answer = child.run(print_verdict, subject, self.engine, info.name, source, probe_host(), table)
        assert answer["kind"] == "Rejected", f"without '{self.engine}' the sample got {answer['kind']}"
        assert answer["reason"].strip()
        assert answer["hint"].strip(), "a hint says what to do, such as the pip command"


def bare_interpreter(folder: Path) -> Path:
    """Make an environment without any package; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


class Hiding:
    """An import finder that knows everything that the others know, but one package."""

    def __init__(self, package: str, finders: Sequence[Any]) -> None:
        self._package = package
        self._finders = tuple(finders)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] == self._package:
            return None
        found = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in found if spec is not None), None)


def print_verdict(
    subject: Named, engine: str, backend: str, source: ModelSource, host: HostInfo, table: Mapping[str, Any]
) -> None:
    """Print, as a child that has no *engine*, what the backend says of its sample."""
    sys.meta_path[:] = [Hiding(engine.partition(".")[0], sys.meta_path)]
    asked = with_plugin(subject.get())
    verdict = asked.ask(backend, "uml_detect_backend", model=source, host=host, settings=table)
    kind = type(verdict).__name__
    answer = {"reason": verdict.reason, "hint": verdict.hint} if isinstance(verdict, Rejected) else {}
    sys.stdout.write(json.dumps({"kind": kind, **answer}))
