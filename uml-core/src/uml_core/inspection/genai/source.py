"""From a folder of onnxruntime-genai to what the rest of UML knows a model by."""

from __future__ import annotations

from pathlib import Path

from uml_core.inspection.genai.config import CONFIG, Config, read_config
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.huggingface.source import folder_name
from uml_core.inspection.huggingface.tasks import modalities
from uml_core.inspection.huggingface.texts import (
    files_beside,
    has_chat_template,
    has_tokenizer,
    read_author,
    read_tokenizer,
)
from uml_core.inspection.onnx.source import Graph, read_graph_file, sizes_of, weighed
from uml_core.inspection.onnx.weights import Weights
from uml_core.types import ModelSource

NAME = "onnx-genai"
MARKS = (CONFIG,)


def claims(path: Path, head: bytes) -> bool:
    """Whether *path* is a folder with a configuration of onnxruntime-genai."""
    return not head and (path / CONFIG).is_file()


def read(path: Path) -> ModelSource:
    """Read the configuration and the heads of the graphs that it names; *path* is the folder.

    :raises InvalidModelFileError: a file can't be read or breaks its format, or one is wanted from elsewhere
    """
    folder = Folder(path)
    folder.file(CONFIG)  # no link out of the folder
    config = read_config(path)
    found = {name: folder.file(name) for name in (*config.graphs, *config.others)}
    graphs = [read_graph_file(file) for name in config.graphs if (file := found[name])]
    return _source(folder, config, graphs, found)


def _source(folder: Folder, config: Config, graphs: list[Graph], found: dict[str, Path | None]) -> ModelSource:
    beside = has_tokenizer(folder) and files_beside(folder)
    files = sizes_of(file for file in (folder.path / CONFIG, *found.values(), *(beside or ())) if file)
    for graph in graphs:
        files |= graph.external.files
    weights = sum((graph.weights for graph in graphs), Weights.none())
    return ModelSource(
        path=folder.path,
        format=NAME,
        files=tuple(files),
        size_bytes=sum(files.values()),
        name=folder_name(folder.path),
        architecture=config.type or None,
        parameters=weights.parameters or None,
        context_length=config.context_length,
        quantization=weights.quantization,
        bits_per_weight=weights.bits_per_weight,
        license=read_author(folder).license,
        shape=weighed(config.shape, graphs) if config.shape else None,
        modalities=modalities(config.tasks),
        tasks=config.tasks,
        has_tokenizer=has_tokenizer(folder),
        has_chat_template=has_chat_template(folder, read_tokenizer(folder)),
        missing=(
            *(name for name, file in found.items() if not file),
            *(name for graph in graphs for name in graph.external.missing),
        ),
        hazards=("remote-code",) if config.runs_code else (),
        metadata={
            "model.type": config.type,
            "model.context_length": config.context_length,
            "graphs": config.graphs,
            "graph.node": {graph.path.name: dict(graph.header.operators.most_common(64)) for graph in graphs},
        },
    )
