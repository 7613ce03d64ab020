"""Tensors in other files: which of them are there, and none that a model has no business to name.

A location is a path relative to the model's folder (https://onnx.ai/onnx/repo-docs/ExternalData.html). An engine opens
what it names, so a model could read any file of its user: see CVE-2022-25882, CVE-2024-27318 and their like.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.onnx.tensor import Tensor

FILES = 10_000
IN_MEMORY = "*/_ORT_MEM_ADDR_/*"
"""What onnxruntime writes in place of a file for an address in its own memory."""


@frozen(kw_only=True)
class External:
    """The files that are there, with their sizes in bytes, and the names of those that aren't."""

    files: dict[Path, int]
    missing: tuple[str, ...]


def find_external(path: Path, tensors: Iterable[Tensor]) -> External:
    """Find the files that *tensors* of the model *path* are in, without opening them.

    :raises InvalidModelFileError: one is named as no file of the model can be, is none, or is too short
    """
    needs: dict[str, int] = {}
    for tensor in tensors:
        if tensor.place:
            length = tensor.size_bytes if tensor.place.length is None else tensor.place.length
            _check_length(path, tensor, length)
            end = tensor.place.offset + length
            needs[tensor.place.location] = max(end, needs.get(tensor.place.location, 0))
            if len(needs) > FILES:
                raise _refused(path, tensor.place.location, f"it would be more than {FILES} files")
    files: dict[Path, int] = {}
    missing: list[str] = []
    roots = {str(path.parent.resolve()), str(path.resolve().parent)} if needs else set()
    for location, need_bytes in needs.items():
        _check_location(path, location)
        target = path.parent / location
        size_bytes = _size(path, location, target, roots)
        if size_bytes is None:
            missing.append(shown(location))
        elif size_bytes < need_bytes:
            raise InvalidModelFileError(
                f"'{shown(location)}' has {size_bytes} bytes, but '{shown(path.name)}' needs {need_bytes} of it: "
                "it was cut off; download it again"
            )
        else:
            files[target] = size_bytes
    return External(files=files, missing=tuple(missing))


def _check_length(path: Path, tensor: Tensor, length: int) -> None:
    if length != tensor.size_bytes and tensor.type != "string":
        raise InvalidModelFileError(
            f"'{shown(path.name)}' says that tensor '{shown(tensor.name)}' has {length} bytes, but its type and shape "
            f"need {tensor.size_bytes}; download it again"
        )


def _check_location(path: Path, location: str) -> None:
    windows = PureWindowsPath(location)
    if not location or "\0" in location or location.startswith(IN_MEMORY):
        raise _refused(path, location, "no file can have that name")
    if location[0] in "/\\" or windows.drive or windows.root:
        raise _refused(path, location, "it is not relative to the model's folder")
    if "\\" in location or ".." in PurePosixPath(location).parts or ".." in windows.parts:
        raise _refused(path, location, "it may lead out of the model's folder")


def _size(path: Path, location: str, target: Path, roots: set[str]) -> int | None:
    """The size of *target*; None if there is none. A cache of links has the data beside the model's own."""
    try:
        found = target.stat()
        real = target.resolve()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, location, error.strerror or str(error)) from None
    if not any(real.is_relative_to(root) for root in roots):
        raise _refused(path, location, "it is a link that leads out of the model's folder")
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, location, "it is no regular file")
    return found.st_size


def _refused(path: Path, location: str, reason: str) -> InvalidModelFileError:
    return InvalidModelFileError(
        f"'{shown(path.name)}' wants its weights out of '{shown(location)}': {reason}; don't load it"
    )
