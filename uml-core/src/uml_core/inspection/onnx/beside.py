"""What the files beside a graph say of it: the ``config.json`` that it was exported with, its tokenizer, its author."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.huggingface import texts
from uml_core.inspection.huggingface.config import NAME, Config, read_config
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.huggingface.shape import is_encoder, read_shape
from uml_core.inspection.huggingface.tasks import read_tasks
from uml_core.types import Shape

GRAPHS_FOLDER = "onnx"
"""Where transformers.js keeps its graphs, below the configuration."""


@frozen(kw_only=True)
class Beside:
    """``folder`` is where the configuration is; all is empty where there is none."""

    folder: Path | None = None
    architecture: str | None = None
    context_length: int | None = None
    shape: Shape | None = None
    tasks: tuple[str, ...] = ()
    license: str | None = None
    has_tokenizer: bool = False
    has_chat_template: bool = False
    files: tuple[Path, ...] = ()


def read_beside(folder: Path) -> Beside:
    """Read what lies in *folder*, or above it. A graph runs without all of it: what can't be read says nothing."""
    for place in (folder, folder.parent) if folder.name == GRAPHS_FOLDER else (folder,):
        if (place / NAME).is_file():
            try:
                return _read(Folder(place))
            except InvalidModelFileError:
                return Beside()
    return Beside()


def _read(folder: Folder) -> Beside:
    config = read_config(folder)
    if config is None or not config.top.has("model_type", "architectures"):
        return Beside()  # some other program's
    author, tokenizer = texts.read_author(folder), texts.read_tokenizer(folder)
    return Beside(
        folder=folder.path,
        architecture=config.architecture,
        context_length=config.context_length(tokenizer),
        shape=_shape(config),
        tasks=read_tasks(config.top, config.architecture, embeds=texts.embeds(folder), tag=author.tag),
        license=author.license,
        has_tokenizer=texts.has_tokenizer(folder),
        has_chat_template=texts.has_chat_template(folder, tokenizer),
        files=tuple(texts.files_beside(folder)),
    )


def _shape(config: Config) -> Shape | None:
    return read_shape(config.text, keeps=not is_encoder(config.top, config.text))
