"""Functions run in a fresh interpreter: what this one has imported, hidden or opened plays no part there."""

from __future__ import annotations

import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from attrs import frozen

BOOT = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
import importlib, pickle
module, name = json.loads(sys.stdin.buffer.readline())
function = getattr(importlib.import_module(module), name)
function(*pickle.load(sys.stdin.buffer))
"""


@frozen
class Named:
    """A module, which can't be pickled, by its name; anything else as it is."""

    module: str
    value: Any

    @classmethod
    def of(cls, plugin: Any) -> Named:
        """Refer to *plugin* so that another interpreter finds it."""
        return cls(plugin.__name__, None) if isinstance(plugin, ModuleType) else cls("", plugin)

    def get(self) -> Any:
        return importlib.import_module(self.module) if self.module else self.value


def start(function: Callable[..., None], *arguments: Any) -> subprocess.Popen[bytes]:
    """Start *function*, a name of an importable module, with *arguments* in a child; its stdout is a pipe.

    :raises TypeError: an argument can't be pickled, such as a plugin object that holds a lambda
    """
    head = [list(sys.path), [function.__module__, function.__qualname__]]
    lines = b"".join(json.dumps(part).encode() + b"\n" for part in head)
    try:
        data = pickle.dumps(arguments)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"give `plugin` as a module, or as an instance that can be pickled: {error}") from None
    child = subprocess.Popen([sys.executable, "-c", BOOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin
    with child.stdin as stdin:
        stdin.write(lines + data)
    return child


def run(function: Callable[..., None], *arguments: Any, timeout_s: float = 30.0) -> Any:
    """Run *function* in a child to its end; what it prints is JSON, and the answer.

    :raises AssertionError: it failed; its traceback is on stderr
    """
    child = start(function, *arguments)
    assert child.stdout
    try:
        with child.stdout as stdout:
            output = stdout.read()
        assert child.wait(timeout_s) == 0, f"{function.__name__} failed in a fresh interpreter; see stderr"
    finally:
        child.kill()
        child.wait()
    return json.loads(output)
