"""From the heads of one or more graphs to what the rest of UML knows a model by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import is_folder, shown
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.huggingface.places import places_of
from uml_core.inspection.huggingface.source import folder_name
from uml_core.inspection.onnx.beside import GRAPHS_FOLDER, Beside, read_beside
from uml_core.inspection.onnx.cache import cache_shape
from uml_core.inspection.onnx.export import MARKS, missing_parts, parts_of, task_of_parts
from uml_core.inspection.onnx.external import External, find_external
from uml_core.inspection.onnx.face import Face, face_of, modalities_of, task_of
from uml_core.inspection.onnx.header import Header, read_header
from uml_core.inspection.onnx.voice import Voice, read_voice
from uml_core.inspection.onnx.weights import Weights, weigh
from uml_core.inspection.places import placed
from uml_core.types import ModelSource, Shape

NAME = "onnx"
FIRST_TAGS = frozenset((0x08, 0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72))
OPERATORS_TOLD = 64
BY_LABELS = frozenset(("token-classification", "fill-mask", "text-classification", "text-ranking"))
"""Tasks that look alike from the outside of a graph."""


@frozen(kw_only=True)
class Graph:
    """One file of a model, and what it needs of others."""

    path: Path
    header: Header
    external: External
    weights: Weights

    @property
    def face(self) -> Face:
        return face_of(self.header.inputs, self.header.outputs, self.header.notes)


def claims(path: Path, head: bytes) -> bool:
    """Whether a file is called ``.onnx`` and starts as one may, or a folder holds the parts of a model.

    The format has no magic number: another ending is only believed if the version stands first and a name after it.
    """
    if not head:
        return _holds_parts(path)
    if path.suffix.lower() == ".onnx":
        return head[0] in FIRST_TAGS
    return len(head) > 2 and head[0] == 0x08 and 1 <= head[1] <= 64 and head[2] in (0x12, 0x3A)


def _holds_parts(path: Path) -> bool:
    try:
        return is_folder(path) and not Folder(path).names.isdisjoint(MARKS)
    except InvalidModelFileError:
        return False


def read(path: Path) -> ModelSource:
    """Read the head of the graph *path*, or of all graphs of the model in the folder *path*.

    :raises InvalidModelFileError: a file can't be read, breaks the format, was cut off, or wants data from elsewhere
    """
    return _read_export(path) if is_folder(path) else _read_single(path)


def read_graph_file(path: Path) -> Graph:
    """Read one file by itself.

    :raises InvalidModelFileError: as :func:`read`
    """
    header = read_header(path)
    external = find_external(path, header.tensors)
    return Graph(path=path, header=header, external=external, weights=weigh(header.tensors, header.nodes))


def _read_single(path: Path) -> ModelSource:
    graph = read_graph_file(path)
    face, beside, voice = graph.face, read_beside(path.parent), read_voice(path)
    task = task_of(face)
    missing = voice.missing(face) if task == "text-to-speech" else ()
    return _source(
        path,
        {"": graph},
        beside=beside,
        tasks=_tasks(task, beside.tasks),
        voice=voice,
        missing=missing,
    )


def _read_export(path: Path) -> ModelSource:
    parts = parts_of(Folder(path))
    if not parts:
        raise InvalidModelFileError(
            f"the folder '{shown(path.name)}' holds no parts of an ONNX model; name a file in it"
        )
    graphs = {role: read_graph_file(file) for role, file in parts.items()}
    inputs = {role: frozenset(graph.face.inputs) for role, graph in graphs.items()}
    beside = read_beside(path)
    return _source(
        path,
        graphs,
        beside=beside,
        tasks=beside.tasks or (task_of_parts(inputs),),
        voice=Voice(),
        missing=missing_parts(graphs, inputs),
    )


def _source(
    path: Path,
    graphs: Mapping[str, Graph],
    *,
    beside: Beside,
    tasks: tuple[str, ...],
    voice: Voice,
    missing: tuple[str, ...],
) -> ModelSource:
    files = {graph.path: graph.header.size_bytes for graph in graphs.values()}
    for graph in graphs.values():
        files |= graph.external.files
    files |= sizes_of((*voice.files, *beside.files))
    weights = sum((graph.weights for graph in _counted(graphs)), Weights.none())
    notes = {key: value for graph in graphs.values() for key, value in graph.header.notes.items()}
    return ModelSource(
        path=path,
        format=NAME,
        files=tuple(files),
        size_bytes=sum(files.values()),
        name=_text(notes, "model_name", "name") or _name(path, beside),
        architecture=beside.architecture or voice.architecture or _text(notes, "model_type"),
        parameters=weights.parameters,
        context_length=beside.context_length or _context_length(graphs),
        quantization=weights.quantization,
        bits_per_weight=weights.bits_per_weight,
        license=beside.license or _text(notes, "license"),
        shape=_shape(graphs, beside),
        modalities=modalities_of(tasks),
        tasks=tasks,
        has_tokenizer=beside.has_tokenizer,
        has_chat_template=beside.has_chat_template,
        missing=(*(name for graph in graphs.values() for name in graph.external.missing), *missing),
        metadata={
            f"{graph.path.name}/{key}" if len(graphs) > 1 else key: value
            for graph in graphs.values()
            for key, value in _told(graph.header).items()
        }
        | dict(voice.metadata),
    )


def _tasks(task: str | None, told: tuple[str, ...]) -> tuple[str, ...]:
    """What the graph says, and what its configuration says where that is one of several that look alike."""
    if task is None or task in told:
        return told
    return told if told and task in BY_LABELS and "feature-extraction" not in told else (task,)


def _counted(graphs: Mapping[str, Graph]) -> list[Graph]:
    """All parts of the model; a decoder that is there with and without a past is the same one twice."""
    return [graphs[role] for role in graphs if role != "decoder_with_past_model" or "decoder_model" not in graphs]


def _shape(graphs: Mapping[str, Graph], beside: Beside) -> Shape | None:
    heads = (graph.header for graph in graphs.values())
    shapes = (cache_shape(header.inputs, header.outputs, header.nodes) for header in heads)
    shape = beside.shape or next((shape for shape in shapes if shape), None)
    return weighed(shape, _counted(graphs)) if shape else None


def weighed(shape: Shape, graphs: Iterable[Graph]) -> Shape:
    """*shape* with the bytes of the tensors of *graphs*, wherever these are; many exporters keep their names.

    A graph that uses its embedding twice has it once and says so, or has it twice: nothing is copied at loading.
    """
    tensors = ((tensor.name, tensor.size_bytes) for graph in graphs for tensor in graph.header.tensors)
    return placed(shape, places_of(tensors, len(shape.layers)), tied=False)


def _context_length(graphs: Mapping[str, Graph]) -> int | None:
    """The length of the text that a graph of fixed size takes."""
    for graph in graphs.values():
        value = graph.face.inputs.get("input_ids")
        size = value.dimensions[-1] if value and value.dimensions and not graph.face.has_past else None
        if isinstance(size, int) and size > 1:
            return size
    return None


def _told(header: Header) -> dict[str, object]:
    return {
        "ir_version": header.ir_version,
        "producer_name": header.producer,
        "producer_version": header.producer_version,
        "graph.name": header.graph_name,
        **{f"opset_import.{domain}": version for domain, version in header.opsets.items()},
        **{f"metadata_props.{key}": value for key, value in header.notes.items()},
        "graph.input": tuple(map(str, header.inputs)),
        "graph.output": tuple(map(str, header.outputs)),
        "graph.node": dict(header.operators.most_common(OPERATORS_TOLD)),
    }


def _name(path: Path, beside: Beside) -> str:
    """The folder's name, if the graph is the whole model of it."""
    if beside.folder and path.stem in ("model", GRAPHS_FOLDER):
        return folder_name(beside.folder)
    return shown(path.stem)


def sizes_of(files: Iterable[Path]) -> dict[Path, int]:
    """The size of each file in bytes.

    :raises InvalidModelFileError: one is gone
    """
    try:
        return {file: file.stat().st_size for file in files}
    except OSError as error:
        raise InvalidModelFileError(f"a file of the model is gone: {error.strerror}; look at its folder") from None


def _text(notes: Mapping[str, str], *keys: str) -> str | None:
    return next((shown(notes[key]) for key in keys if notes.get(key)), None)
