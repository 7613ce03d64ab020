"""Models that are made from others, once, and kept in the cache folder of the developers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from platformdirs import user_cache_path

HERE = Path(__file__).parent


def cache() -> Path:
    """Where fetched and made models are kept: ``UML_DEV_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("UML_DEV_CACHE") or user_cache_path("uml-dev"))


def made(name: str, script: str, *arguments: Path | str, needs: Sequence[str] = ("torch", "transformers")) -> Path:
    """The model *name* in the cache folder, written there by *script* of this folder if it isn't there yet.

    The script is given *arguments* and then the path to write to: a folder that exists, or a file if *name* has a
    suffix. What it has half done, when it fails or is killed, is no model.
    """
    place = cache() / "made" / name
    if place.exists():
        return place
    for module in (*needs, "filelock"):
        if not find_spec(module):
            pytest.skip(f"{script} makes {name} with {module!r}, which is not installed")
    from filelock import FileLock

    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f".{place.name}.lock")):  # of several test processes, one makes it
        if not place.exists():
            make(place, [sys.executable, HERE / script, *arguments])
    return place


def make(place: Path, command: Sequence[Path | str]) -> None:
    """Run *command* with a path for its result, and move that to *place* once it is whole."""
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    unfinished = work / place.name
    if not place.suffix:
        unfinished.mkdir()
    quiet = {"HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "2"}
    try:
        ran = subprocess.run(
            [*command, unfinished], env={**os.environ, **quiet}, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"{command} failed:\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
        unfinished.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
