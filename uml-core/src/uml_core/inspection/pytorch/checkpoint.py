"""One file that ``torch.save`` wrote: a zip archive since 1.6, a row of pickles before that.

Source: ``torch/serialization.py`` (``_save``, ``_legacy_save``) of PyTorch 2.13.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from attrs import field, frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import open_model_file, shown
from uml_core.inspection.huggingface.parameters import Weight
from uml_core.inspection.pytorch.archive import Entry, list_contents, read_entry
from uml_core.inspection.pytorch.machine import CutOff, Machine, Malformed
from uml_core.inspection.pytorch.opcodes import run
from uml_core.inspection.pytorch.values import BYTES, Storage, Tensor, tensors_in

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""A pickle of the number that stands at the start of a legacy checkpoint."""

PICKLE_BYTES = 32 * 2**20
FIRST_BYTES = 2**20
TENSORS = 200_000
SAFE = ("torch", "collections", "_codecs")
"""Modules that the checkpoints of well-meaning people name."""


@frozen(kw_only=True)
class Checkpoint:
    """``globals`` are the classes and functions that loading it would look up, ``scripted`` a TorchScript program."""

    weights: tuple[Weight, ...] = field(repr=False)
    storages: tuple[Storage, ...] = field(repr=False)
    globals: tuple[str, ...]
    keys: tuple[str, ...]
    scripted: bool = False


def read_checkpoint(path: Path) -> Checkpoint:
    """Describe the file *path*, bounded in time and memory; nothing in it is run.

    :raises InvalidModelFileError: it can't be read, is no pickle or archive of one, or was cut off
    """
    with open_model_file(path) as (file, size_bytes):
        start = file.read(len(LEGACY))
        try:
            if start.startswith(ZIP):
                return _read_zip(file, size_bytes)
            return _read_pickles(file, size_bytes, legacy=start == LEGACY)
        except Malformed as error:
            raise InvalidModelFileError(
                f"'{shown(path.name)}' is not a usable PyTorch file: {error}; download it again"
            ) from None


def _read_zip(file: FileIO, size_bytes: int) -> Checkpoint:
    entries = list_contents(file, size_bytes)
    found = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(found) != 1:
        raise Malformed("it is an archive, but not of one checkpoint: it needs one 'data.pkl'")
    folder = found[0].removesuffix("data.pkl")
    machine = Machine(read_entry(file, entries[found[0]], most_bytes=PICKLE_BYTES))
    root = run(machine)
    scripted = f"{folder}constants.pkl" in entries and any(name.startswith(f"{folder}code/") for name in entries)
    return _checkpoint(machine, root, _sizes(entries, folder), scripted=scripted)


def _sizes(entries: dict[str, Entry], folder: str) -> dict[str, int]:
    place = f"{folder}data/"
    return {name.removeprefix(place): entry.size_bytes for name, entry in entries.items() if name.startswith(place)}


def _read_pickles(file: FileIO, size_bytes: int, *, legacy: bool) -> Checkpoint:
    """Read as much of the file as the pickles take: they come first, the numbers after them."""
    length = FIRST_BYTES
    while True:
        file.seek(0)
        data = file.read(min(length, PICKLE_BYTES, size_bytes))
        try:
            return _read_legacy(data, size_bytes) if legacy else _read_bare(data)
        except CutOff:
            if len(data) == size_bytes:
                raise
            if length >= PICKLE_BYTES:
                raise Malformed(f"its description takes more than {PICKLE_BYTES} bytes") from None
        length *= 8


def _read_legacy(data: bytes, size_bytes: int) -> Checkpoint:
    at = 0
    for _ in range(3):  # the magic number, the version, the byte order
        head = Machine(data, at)
        run(head)
        at = head.at
    machine = Machine(data, at)
    root = run(machine)
    keys = Machine(data, machine.at)
    run(keys)
    checkpoint = _checkpoint(machine, root, None)
    needed_bytes = keys.at + sum(storage.size_bytes + 8 for storage in checkpoint.storages)
    if needed_bytes > size_bytes:
        raise Malformed(f"it needs {needed_bytes} bytes, but only {size_bytes} are there: it was cut off")
    return checkpoint


def _read_bare(data: bytes) -> Checkpoint:
    machine = Machine(data)
    return _checkpoint(machine, run(machine), None)


def _checkpoint(machine: Machine, root: object, sizes: dict[str, int] | None, *, scripted: bool = False) -> Checkpoint:
    weights: dict[tuple[object, ...], Weight] = {}
    storages: dict[str, Storage] = {}
    for name, tensor in tensors_in(root):
        storages[tensor.storage.key] = tensor.storage
        _check(name, tensor, sizes)
        place = (tensor.storage.key, tensor.offset, tensor.shape, tensor.stride)  # tied weights are there once
        size_bytes = math.prod(tensor.shape) * BYTES.get(tensor.dtype, 1)
        weights.setdefault(place, Weight(name, tensor.dtype, tensor.shape, size_bytes))
        if len(weights) > TENSORS:
            raise Malformed(f"it has more than {TENSORS} tensors")
    return Checkpoint(
        weights=_named_apart(weights.values()),
        storages=tuple(storages.values()),
        globals=tuple(sorted(str(found) for found in machine.globals if found.module.split(".")[0] not in SAFE)),
        keys=tuple(key for key in root if isinstance(key, str)) if isinstance(root, dict) else (),
        scripted=scripted,
    )


def _check(name: str, tensor: Tensor, sizes: dict[str, int] | None) -> None:
    """Refuse a view that reaches beyond its storage, and a storage that is not all there."""
    last = sum((length - 1) * step for length, step in zip(tensor.shape, tensor.stride, strict=True))
    storage = tensor.storage
    room = storage.size_bytes // BYTES.get(tensor.dtype, 1)
    if 0 not in tensor.shape and tensor.offset + last >= room:
        raise Malformed(f"tensor '{shown(name)}' reaches beyond the numbers that it is part of")
    if sizes is not None and sizes.get(storage.key, -1) < storage.size_bytes:
        raise Malformed(f"the numbers of tensor '{shown(name)}' are not all there: it was cut off")


def _named_apart(weights: Iterable[Weight]) -> tuple[Weight, ...]:
    """Different tensors may have come to the same name: objects have no names for their parts."""
    names: set[str] = set()
    apart = []
    for at, weight in enumerate(weights):
        name = f"{weight.name}#{at}" if weight.name in names else weight.name
        names.add(name)
        apart.append(weight if name is weight.name else weight._replace(name=name))
    return tuple(apart)
