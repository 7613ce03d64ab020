"""The projectors that lie beside a model and let it take images and sound: ``mmproj-….gguf`` in its folder."""

from __future__ import annotations

import functools
import os
import re
import time
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.gguf.facts import Facts
from uml_core.inspection.gguf.header import Header, read_header
from uml_core.inspection.gguf.nature import kind_of, media_of

PROJECTORS = 16
SETTLED_NS = 2 * 10**9
MARK = "mmproj"
QUANTIZATION = re.compile(r"(?<![a-z0-9])(?:i?q\d\w*|bf16|fp?16|f32)(?![a-z0-9])")
NO_NAMES = (MARK, "model")


def projectors_of(path: Path, embedding_length: int) -> dict[Path, tuple[str, ...]]:
    """The projectors in the folder of *path* that fit a model of this width, and what each takes.

    Several models may share a folder, so one fits if its name names no other model, and if it ends in vectors of the
    model's width. A projector that can't be read is none.
    """
    found: dict[Path, tuple[str, ...]] = {}
    for name in _named(path.parent):
        beside = path.with_name(name)
        if beside != path and _may_belong(name, path.name) and (media := _media(beside, embedding_length)):
            found[beside] = media
    return found


def _named(folder: Path) -> tuple[str, ...]:
    try:
        changed_ns = folder.stat().st_mtime_ns
        if time.time_ns() - changed_ns < SETTLED_NS:  # it may change again within one tick of its clock
            return _list(folder)
        return _listed(folder, changed_ns)
    except OSError:
        return ()


@functools.lru_cache(maxsize=4)
def _listed(folder: Path, changed_ns: int) -> tuple[str, ...]:  # noqa: ARG001 - a folder that changed is another one
    """The same for all models of a folder, of which there may be thousands."""
    return _list(folder)


def _list(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if MARK in entry.name.lower())
    return tuple(name for name in names if name.lower().endswith(".gguf"))[:PROJECTORS]


def _may_belong(projector: str, model: str) -> bool:
    """Whether one name holds the other, or the projector's says no more than what it is: ``mmproj-model-f16.gguf``."""
    mine, its = _said_by(projector), _said_by(model)
    return mine in its or (its != "" and its in mine)


def _said_by(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", QUANTIZATION.sub("", name.lower().removesuffix(".gguf")))
    return "".join(word for word in words if word not in NO_NAMES)


def _media(path: Path, embedding_length: int) -> tuple[str, ...]:
    try:
        header = read_header(path)
        facts = Facts(path, header.metadata)
        fits = kind_of(facts, has_tensors=True) == "projector" and _ends_in(header, embedding_length)
        return media_of(facts) if fits else ()
    except InvalidModelFileError:
        return ()


def _ends_in(header: Header, width: int) -> bool:
    """Whether a tensor that is not of the encoder's blocks is as wide as the model."""
    return any(
        width in tensor.dimensions and not tensor.name.startswith(("v.blk.", "a.blk.")) for tensor in header.tensors
    )
