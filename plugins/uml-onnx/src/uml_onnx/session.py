"""A session of onnxruntime as the plan wants it, and a run of it that can be ended."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, by the import below; later is too late

import onnxruntime as ort

from uml_core.errors import (
    InsufficientMemoryError,
    InvalidModelFileError,
    ModelLoadError,
    UMLError,
)
from uml_core.types import Plan
from uml_onnx.options import Options
from uml_onnx.providers import Provider, providers_for

WATCHED_TOKENS = 64
"""From so many tokens on, a run takes long enough that somebody may leave meanwhile."""
LOOK_S = 0.05
QUIET = 3
"""Errors only: warnings are of nodes that run on another device, and the like."""
FLAG = {True: "1", False: "0"}
LEVELS = {"disabled": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}
KINDS: dict[str, type[UMLError]] = {
    "InvalidProtobuf": InvalidModelFileError,
    "InvalidGraph": InvalidModelFileError,
    "NoSuchFile": InvalidModelFileError,
    "NotImplemented": ModelLoadError,
}
MEMORY = ("bad_alloc", "Failed to allocate", "out of memory", "CUDA failure 2", "Available memory of")
DATA = ("external data", "external initializer", "filesystem error")
UNKNOWN = ("No Op registered for", "is not a registered function/op")
NOISE = re.compile(
    r"(?:\[ONNXRuntimeError\] : )?\d+ : [A-Z_]+ : |/onnxruntime_src/\S+ .*?\) (?=[A-Z\[])|\w+\.cc:\d+ \w+ "
    r"|Load model from \S+ failed: ?|Exception during initialization: "
)
"""Places in its source and the like, which say nothing to a user."""


class Session:
    """A loaded graph, ``provider`` is what runs it first."""

    def __init__(self, graph: Path, plan: Plan, options: Options) -> None:
        """Load it.

        :raises InvalidModelFileError: onnxruntime finds fault with a file
        :raises InsufficientMemoryError: it lacks memory
        :raises ModelLoadError: it doesn't know an operator, or can't use what was planned
        """
        wanted = providers_for(plan, options, ort.get_available_providers())
        try:
            said = [(one.name, dict(one.options)) for one in wanted]
            self._session = ort.InferenceSession(str(graph), _session_options(plan, options), providers=said)
        except Exception as error:
            raise _told(graph, error) from error
        self.provider = self._used(wanted[0])

    def binding(self) -> Any:
        return self._session.io_binding()

    def run(self, binding: Any, cancelled: Callable[[], bool], *, tokens: int) -> bool:
        """Run what is bound; False if *cancelled*, asked all the time while many *tokens* are computed, ended it."""
        if tokens < WATCHED_TOKENS:
            self._session.run_with_iobinding(binding)
            return True
        with _ended_by(cancelled) as options:
            try:
                self._session.run_with_iobinding(binding, options)
            except Exception:
                if options.terminate:
                    return False
                raise
        return True

    def infer(self, output: str, inputs: Mapping[str, Any]) -> Any:
        """What the graph gives as *output*."""
        return self._session.run([output], dict(inputs))[0]

    def names(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The graph's inputs and outputs by name, as onnxruntime describes them."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        return {value.name: value for value in inputs}, {value.name: value for value in outputs}

    def _used(self, wanted: Provider) -> Provider:
        """What was planned for a device must be there: on the processor it would run, but as nobody planned it."""
        if wanted.name in self._session.get_providers():
            return wanted
        raise ModelLoadError(
            f"onnxruntime can't use {wanted.name}: its libraries, or those of the driver, can't be loaded; "
            "the log says which; or load with --device cpu"
        )


@contextmanager
def _ended_by(cancelled: Callable[[], bool]) -> Iterator[Any]:
    """Options of a run that ends between two operators once *cancelled* says so, which another thread asks."""
    options, done = ort.RunOptions(), threading.Event()
    options.log_severity_level = QUIET + 1  # that it was ended is no error

    def watch() -> None:
        while not done.wait(LOOK_S):
            if cancelled():
                options.terminate = True

    watcher = threading.Thread(target=watch, name="watcher", daemon=True)
    watcher.start()
    try:
        yield options
    finally:
        done.set()
        watcher.join()


def _session_options(plan: Plan, options: Options) -> Any:
    said = ort.SessionOptions()
    said.log_severity_level = QUIET
    said.intra_op_num_threads = options.intra_op_num_threads or plan.threads
    said.inter_op_num_threads = 1
    said.enable_cpu_mem_arena = options.enable_cpu_mem_arena
    if level := LEVELS.get(options.graph_optimization_level):
        said.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    if plan.spin is not None:
        said.add_session_config_entry("session.intra_op.allow_spinning", FLAG[plan.spin])
    return said


def _told(graph: Path, error: Exception) -> UMLError:
    """What onnxruntime says, in one sentence and as the kind of error that it is."""
    why = NOISE.sub("", " ".join(str(error).split()))
    kind = KINDS.get(type(error).__name__, ModelLoadError)
    if any(sign in why for sign in MEMORY):
        kind = InsufficientMemoryError
    elif any(sign in why for sign in UNKNOWN):
        kind = ModelLoadError
    elif any(sign in why.lower() for sign in DATA):
        kind = InvalidModelFileError
    return kind(f"onnxruntime can't load '{graph.name}': {why[:600]}")
