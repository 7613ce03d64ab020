"""Which files a model is made of: its graph, and the folder with what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.types import ModelSource

GENAI = "genai_config.json"
GRAPHS_FOLDER = "onnx"
"""Where transformers.js keeps its graphs, below the configuration and the tokenizer."""


@frozen(kw_only=True)
class Files:
    """``folder`` has the tokenizer and the configurations; ``config`` is transformers', ``genai`` the builder's."""

    graph: Path
    folder: Path
    config: Mapping[str, Any]
    genai: Mapping[str, Any]


def files_of(model: ModelSource) -> Files:
    """Find them; what was inspected before is not checked again.

    :raises InvalidModelFileError: a configuration can't be read
    """
    folder = folder_of(model.path)
    genai = _read(folder / GENAI).get("model", {})
    graph = model.path if model.path.suffix == ".onnx" else _graph(model, genai)
    return Files(graph=graph, folder=folder, config=_read(folder / "config.json"), genai=genai)


def folder_of(path: Path) -> Path:
    """Where the tokenizer of the graph, or of the folder, *path* is."""
    folder = path if path.is_dir() else path.parent
    return folder.parent if folder.name == GRAPHS_FOLDER and not _has_tokenizer(folder) else folder


def _has_tokenizer(folder: Path) -> bool:
    return (folder / "tokenizer.json").is_file()


def _graph(model: ModelSource, genai: Mapping[str, Any]) -> Path:
    if name := genai.get("decoder", {}).get("filename"):
        return model.path / str(name)
    graphs = [file for file in model.files if file.suffix == ".onnx"]
    return next((file for file in graphs if file.stem.startswith("decoder")), graphs[0] if graphs else model.path)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InvalidModelFileError(f"'{path}' is no JSON: {error}; download it again") from None
    return said if isinstance(said, dict) else {}
