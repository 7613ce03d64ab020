"""What a safetensors file, or a folder with such weights, says of the model in it."""

from __future__ import annotations

from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import is_folder
from uml_core.inspection.huggingface.source import Layout, Tensors, claims_folder, read_file, read_folder
from uml_core.inspection.huggingface.weights import Naming
from uml_core.inspection.safetensors.header import looks_like_header, read_header
from uml_core.types import ModelSource

NAME = "safetensors"
SUFFIX = ".safetensors"
SUFFIXES = (SUFFIX,)
MARKS = ("config.json", "adapter_config.json")


def claims(path: Path, head: bytes) -> bool:
    """Whether a file starts as such files do or is called one, or a folder is a model with such weights."""
    if head:
        return looks_like_header(head) or path.name.endswith(SUFFIX)
    try:
        return is_folder(path) and claims_folder(path, LAYOUT)
    except InvalidModelFileError:
        return False


def read(path: Path) -> ModelSource:
    """Read the headers of the weights, and what the files beside them say.

    :raises InvalidModelFileError: a file can't be read, breaks its format, or was cut off
    """
    return (read_folder if is_folder(path) else read_file)(path, LAYOUT)


def _tensors(path: Path) -> Tensors:
    header = read_header(path)
    return Tensors(weights=header.weights, metadata={key: value[:4096] for key, value in header.metadata.items()})


LAYOUT = Layout(format=NAME, naming=Naming(stem="model", suffixes=SUFFIXES), read=_tensors)
