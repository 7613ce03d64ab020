"""Find the format that a file or a folder is in, and let its reader read the header."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from uml_core.errors import InvalidModelFileError, UMLError
from uml_core.inspection.file import is_folder, open_model_file, shown
from uml_core.types import ModelFormat, ModelSource

HEAD_BYTES = 4096
IMPOSTORS = {
    b"<!doctype html": "a web page that was saved in place of the model",
    b"<html": "a web page that was saved in place of the model",
    b"version https://git-lfs": "a Git LFS pointer, not the file that it stands for",
}
log = logging.getLogger(__name__)


def inspect(path: Path, formats: Sequence[ModelFormat]) -> ModelSource:
    """Read what *path*, a file or a folder, is, by the first of *formats* that claims it.

    :raises InvalidModelFileError: it can't be read, breaks its format, or is in none of *formats*
    """
    whole = is_folder(path)
    head = b"" if whole else _head(path)
    for format in formats:
        if _claims(format, path, head):
            return _read(format, path)
    raise InvalidModelFileError((_unclaimed_folder if whole else _unclaimed)(path, head, formats))


def _head(path: Path) -> bytes:
    with open_model_file(path) as (file, _):
        return file.read(HEAD_BYTES)


def _claims(format: ModelFormat, path: Path, head: bytes) -> bool:
    try:
        return bool(format.claims(path, head))
    except Exception:  # a bug of one reader must not keep the others from the file
        log.warning("format '%s' failed to look at '%s'", format.name, shown(path.name), exc_info=True)
        return False


def _read(format: ModelFormat, path: Path) -> ModelSource:
    try:
        return format.read(path)
    except UMLError:
        raise
    except Exception as error:
        log.warning("format '%s' failed to read '%s'", format.name, shown(path.name), exc_info=True)
        raise InvalidModelFileError(
            f"'{shown(path.name)}' could not be read as {format.name}: {shown(repr(error))}; "
            "tell the makers of that reader, or download the file again"
        ) from error


def _unclaimed(path: Path, head: bytes, formats: Sequence[ModelFormat]) -> str:
    name, start = shown(path.name), head.lstrip().lower()
    for mark, what in IMPOSTORS.items():
        if start.startswith(mark):
            return f"'{name}' is {what}; download it again"
    return f"'{name}' is in no format that UML knows here ({_known(formats)}); is it a model file, and is it whole?"


def _unclaimed_folder(path: Path, _: bytes, formats: Sequence[ModelFormat]) -> str:
    return (
        f"'{shown(path.name)}' is a folder, not a model file, and is no model as a whole in a format that UML knows "
        f"here ({_known(formats)}); name the file in it"
    )


def _known(formats: Sequence[ModelFormat]) -> str:
    return ", ".join(format.name for format in formats) or "none"
