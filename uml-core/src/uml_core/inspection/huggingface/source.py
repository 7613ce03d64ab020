"""What a model in Hugging Face's layout is, whatever format its weights are in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import field, frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.huggingface import texts
from uml_core.inspection.huggingface.config import Config, make_config, read_config
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.huggingface.parameters import Weight, count_parameters
from uml_core.inspection.huggingface.places import places_of
from uml_core.inspection.huggingface.quantization import find_quantization
from uml_core.inspection.huggingface.shape import is_encoder, read_shape
from uml_core.inspection.huggingface.tasks import modalities, read_tasks
from uml_core.inspection.huggingface.weights import Naming, Weights, all_parts, find_weights
from uml_core.inspection.json_file import read_object
from uml_core.inspection.places import placed
from uml_core.types import FileKind, Hazard, ModelSource, Shape

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_MARKS = (".lora_", "lora_unet_", "lora_te", "lora_A", "lora_B", ".hada_", ".lokr_", ".ia3_")


@frozen(kw_only=True)
class Tensors:
    """What one file of weights holds; ``kind`` is what it must be, whatever the names of its tensors say."""

    weights: tuple[Weight, ...]
    metadata: Mapping[str, object] = field(factory=dict)
    kind: FileKind | None = None


@frozen(kw_only=True)
class Layout:
    """How a format keeps models: its name, the names of its files, and how one of them is read."""

    format: str
    naming: Naming
    read: Callable[[Path], Tensors]
    hazards: tuple[Hazard, ...] = ()

    @property
    def adapter(self) -> Naming:
        return Naming(stem="adapter_model", suffixes=self.naming.suffixes)


def claims_folder(path: Path, layout: Layout) -> bool:
    """Whether the folder *path* is a model, or an adapter, with weights in this format."""
    folder = Folder(path)
    if folder.optional("config.json") and layout.naming.there(folder):
        return True
    return bool(folder.optional(ADAPTER_CONFIG)) and layout.adapter.single in folder.names


def read_folder(path: Path, layout: Layout) -> ModelSource:
    """Read the folder *path* as one model.

    :raises InvalidModelFileError: one of its files breaks its format, or leads out of the folder
    """
    folder = Folder(path)
    config = read_config(folder)
    if config and layout.naming.there(folder):
        return _describe(path, layout, folder, find_weights(folder, layout.naming), config)
    weights = Weights(files=tuple(file for file in [folder.file(layout.adapter.single)] if file))
    return _describe(path, layout, folder, weights, config, kind="adapter")


def read_file(path: Path, layout: Layout) -> ModelSource:
    """Read the file *path*, and the other parts if it is one of several, with what its folder says of it.

    :raises InvalidModelFileError: it breaks its format, or one of its parts is not a regular file
    """
    folder = Folder(path.parent)
    names = all_parts(path.name)
    found = {name: path if name == path.name else folder.file(name) for name in names}
    weights = Weights(
        files=tuple(file for file in found.values() if file),
        missing=tuple(name for name, file in found.items() if not file),
    )
    config = _config_beside(folder)
    is_adapter = path.name == layout.adapter.single and ADAPTER_CONFIG in folder.names
    return _describe(path, layout, folder, weights, config, kind="adapter" if is_adapter else None)


def _config_beside(folder: Folder) -> Config | None:
    """The configuration beside a lone file, if it is a model's and can be read: it may be another program's."""
    try:
        config = read_config(folder)
    except InvalidModelFileError:
        return None
    return config if config and config.top.has("model_type", "architectures") else None


def _describe(
    path: Path, layout: Layout, folder: Folder, weights: Weights, config: Config | None, *, kind: FileKind | None = None
) -> ModelSource:
    heads = [layout.read(file) for file in weights.files]
    tensors = [weight for head in heads for weight in head.weights]
    metadata = {key: value for head in heads for key, value in head.metadata.items()}
    facts = config or make_config({})
    quantization = find_quantization(folder, facts.top) if config else None
    parameters = count_parameters(tensors, quantization)
    tokenizer = texts.read_tokenizer(folder) if config else {}
    author = texts.read_author(folder) if config or kind == "adapter" else texts.Author()
    whole = path == folder.path
    files = _files(folder, weights, beside=bool(config) or kind == "adapter")
    architecture = facts.architecture or _text(metadata, "modelspec.architecture")
    tasks = read_tasks(facts.top, architecture, embeds=bool(config) and texts.embeds(folder), tag=author.tag)
    kind = kind or _kind(facts, architecture, heads, tensors=tensors, parts=bool(weights.missing))
    return ModelSource(
        path=path,
        format=layout.format,
        files=files,
        size_bytes=_size_bytes(files),
        kind=kind,
        name=folder_name(path) if whole else _text(metadata, "modelspec.title") or shown(path.stem),
        architecture=architecture,
        parameters=parameters.count or None,
        context_length=facts.context_length(tokenizer),
        quantization=quantization.name if quantization else parameters.dtype,
        bits_per_weight=parameters.bits_per_weight,
        license=author.license or _text(metadata, "modelspec.license"),
        shape=_shape(config, tensors, whole=not weights.missing) if config else None,
        modalities=modalities(tasks) if kind == "model" else (),
        tasks=tasks if kind == "model" else (),
        has_tokenizer=bool(config) and texts.has_tokenizer(folder),
        has_chat_template=bool(config) and texts.has_chat_template(folder, tokenizer),
        missing=weights.missing,
        hazards=_hazards(layout, facts, tokenizer),
        metadata=facts.metadata() | _adapter_metadata(folder, kind) | metadata,
    )


def _shape(config: Config, tensors: list[Weight], *, whole: bool) -> Shape | None:
    writes = not is_encoder(config.top, config.text)
    shape = read_shape(config.text, keeps=writes)
    if shape is None:
        return None
    places = places_of(((weight.name, weight.size_bytes) for weight in tensors), len(shape.layers))
    return placed(shape, places, tied=whole and writes and config.ties)


def _kind(
    config: Config, architecture: str | None, heads: list[Tensors], *, tensors: list[Weight], parts: bool
) -> FileKind:
    """What the files hold.

    :param parts: some are missing, and with them what their tensors would tell
    """
    if told := next((head.kind for head in heads if head.kind), None):
        return told
    if tensors and all(any(mark in weight.name for mark in ADAPTER_MARKS) for weight in tensors):
        return "adapter"
    if config.is_part or not (tensors or parts):
        return "other"
    known = architecture or any(weight.name.endswith((".weight", "_weight")) for weight in tensors)
    return "model" if known else "other"


def _files(folder: Folder, weights: Weights, *, beside: bool) -> tuple[Path, ...]:
    index = [weights.index] if weights.index else []
    return (*weights.files, *index, *(texts.files_beside(folder) if beside else ()))


def _size_bytes(files: tuple[Path, ...]) -> int:
    try:
        return sum(file.stat().st_size for file in files)
    except OSError as error:
        raise InvalidModelFileError(f"a file of the model is gone: {error.strerror}; look at its folder") from None


def folder_name(path: Path) -> str:
    """The folder's name; in the Hugging Face cache, where that is a commit, the repository's."""
    repository = path.parent.parent.name
    if path.parent.name == "snapshots" and repository.startswith("models--"):
        return shown(repository.rpartition("--")[2])
    return shown(path.name)


def _hazards(layout: Layout, config: Config, tokenizer: Mapping[str, object]) -> tuple[Hazard, ...]:
    code: tuple[Hazard, ...] = ("remote-code",) if config.runs_code or tokenizer.get("auto_map") else ()
    return layout.hazards + code


def _adapter_metadata(folder: Folder, kind: FileKind) -> dict[str, object]:
    path = folder.optional(ADAPTER_CONFIG) if kind == "adapter" else None
    if path is None:
        return {}
    return {f"adapter.{key}": value for key, value in make_config(read_object(path)).metadata().items()}


def _text(metadata: Mapping[str, object], key: str) -> str | None:
    value = metadata.get(key)
    return shown(value) if isinstance(value, str) and value else None
