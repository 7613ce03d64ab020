"""One gateway a data folder: the lock that says so, and the file that tells others where it is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from uml_core import __version__
from uml_core.client.gateway import Gateway, find_gateway
from uml_core.errors import GatewayRunningError

LOCK, FILE = "gateway.lock", "gateway.json"


@contextlib.contextmanager
def hold(run_folder: Path) -> Iterator[None]:
    """Hold ``gateway.lock``, so that the data folder has one writer; the kernel frees it however the process ends.

    Unlike a slot's lock it is close-on-exec: workers must not keep it.

    :raises GatewayRunningError: another process holds it
    """
    run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(run_folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GatewayRunningError(_who_holds(run_folder, descriptor)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def _who_holds(run_folder: Path, descriptor: int) -> str:
    gateway = find_gateway(run_folder / FILE)
    if gateway is not None:
        return (
            f"a gateway already serves '{run_folder.parent}' at {gateway.url} (pid {gateway.pid}); use that one, end "
            "it first, or set UML_DATA_DIR to another folder"
        )
    pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
    return (
        f"another `uml` (pid {pid}) is working with '{run_folder.parent}'; wait until it is done, or set UML_DATA_DIR "
        "to another folder"
    )


@contextlib.contextmanager
def announced(run_folder: Path, url: str) -> Iterator[Gateway]:
    """Have ``gateway.json`` say where this process serves, for as long as it does. Needs the lock."""
    gateway = Gateway(url=url, pid=os.getpid(), started_s=psutil.Process().create_time(), version=__version__)
    path = run_folder / FILE
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(
            {"url": gateway.url, "pid": gateway.pid, "started": gateway.started_s, "version": gateway.version}, file
        )
    fresh.replace(path)  # whoever reads it sees the old one or all of this one
    try:
        yield gateway
    finally:
        path.unlink(missing_ok=True)
