"""A format of its own, and a model in it. A backend for GGUF or safetensors needs nothing of this."""

from pathlib import Path

from uml_core import hookimpl
from uml_core.errors import InvalidModelFileError
from uml_core.types import ModelFormat, ModelSource, ModelStore, StoredModel

HEADER = b"MARKOV1\n"
PARROT = Path(__file__).with_name("parrot.markov")


def claims(path: Path, head: bytes) -> bool:  # noqa: ARG001 - what the file is called doesn't matter
    return head.startswith(HEADER)


def read(path: Path) -> ModelSource:
    """Say what the file is. Of a file that nobody vouches for, read only as much as that takes."""
    size_bytes = path.stat().st_size
    if size_bytes <= len(HEADER):
        raise InvalidModelFileError(f"'{path.name}' holds no text after its header; write one into it")
    return ModelSource(path=path, format="markov", files=(path,), size_bytes=size_bytes, architecture="markov")


@hookimpl
def uml_model_formats() -> list[ModelFormat]:
    return [ModelFormat(name="markov", claims=claims, read=read)]


@hookimpl
def uml_model_stores() -> list[ModelStore]:
    parrot = StoredModel(id="parrot", path=PARROT, size_bytes=PARROT.stat().st_size, store="template")
    return [ModelStore(name="template", list=lambda: [parrot])]
