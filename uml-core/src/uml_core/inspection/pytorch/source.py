"""What a PyTorch checkpoint, or a folder with such weights, says of the model in it."""

from __future__ import annotations

import re
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import is_folder, shown
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.huggingface.source import Layout, Tensors, claims_folder, read_file, read_folder
from uml_core.inspection.huggingface.weights import Naming
from uml_core.inspection.pytorch.checkpoint import LEGACY, ZIP, read_checkpoint
from uml_core.inspection.safetensors import LAYOUT as SAFETENSORS
from uml_core.types import FileKind, ModelSource

NAME = "pytorch"
SUFFIXES = (".bin", ".pt", ".pth")
MARKS = ("config.json", "adapter_config.json")
BARE_SUFFIXES = (*SUFFIXES, ".ckpt", ".pkl", ".pickle")
PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
FIRST = re.compile(rb"[^/]+/(data\.pkl|data/\d+|constants\.pkl|constants/\d+|code/.*|version|byteorder|\.data/.*)")
"""The first file in an archive of PyTorch's."""

GLOBALS = 20


def claims(path: Path, head: bytes) -> bool:
    """Whether a file starts as a checkpoint does, or a folder is a model with such weights and no safer ones.

    Any other pickle counts when the file's name says that it's a checkpoint.
    """
    if head:
        if head.startswith(ZIP):
            length = int.from_bytes(head[26:28], "little")
            return FIRST.fullmatch(head, 30, 30 + length) is not None
        return head.startswith(LEGACY) or (head.startswith(PICKLES) and path.name.endswith(BARE_SUFFIXES))
    try:
        return is_folder(path) and claims_folder(path, LAYOUT) and not SAFETENSORS.naming.there(Folder(path))
    except InvalidModelFileError:
        return False


def read(path: Path) -> ModelSource:
    """Describe the checkpoints without running what is in them, and what the files beside them say.

    :raises InvalidModelFileError: a file can't be read, is no checkpoint, or was cut off
    """
    return (read_folder if is_folder(path) else read_file)(path, LAYOUT)


def _tensors(path: Path) -> Tensors:
    checkpoint = read_checkpoint(path)
    metadata: dict[str, object] = {}
    if checkpoint.globals:
        metadata["pickle.globals"] = ", ".join(shown(name) for name in checkpoint.globals[:GLOBALS])
    if checkpoint.scripted:
        metadata["pytorch.archive"] = "torchscript"
    kind: FileKind | None = "model" if checkpoint.scripted else None
    if {"state", "param_groups"} <= set(checkpoint.keys):  # an optimizer's
        kind = "other"
    return Tensors(weights=checkpoint.weights, metadata=metadata, kind=kind)


class _Naming(Naming):
    """``pytorch_model.bin`` and its like; another ``.bin`` beside a configuration may be anything."""

    def ours(self, name: str) -> bool:
        return super().ours(name) and (name.startswith("pytorch_model") or not name.endswith(".bin"))


LAYOUT = Layout(
    format=NAME, naming=_Naming(stem="pytorch_model", suffixes=SUFFIXES), read=_tensors, hazards=("pickle",)
)
