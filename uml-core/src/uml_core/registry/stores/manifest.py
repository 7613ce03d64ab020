"""What Ollama keeps of one model: a manifest with the digests of its files.

Its form: https://github.com/ollama/ollama/blob/main/manifest/manifest.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.registry.stores.reading import read_json

LIST = "application/vnd.ollama.manifest.list.v2+json"
IMAGE = "application/vnd.ollama.image."
MLX = "mlx"
MOST = 65_536  # layers of one manifest, and manifests of one list
DIGEST = re.compile(r"sha256[:-](?P<hex>[0-9a-fA-F]{64})")


@frozen(kw_only=True)
class Layer:
    """One file of a model; ``kind`` is the end of its media type: ``model``, ``projector``, ``adapter``, ``tensor``."""

    kind: str
    digest: str
    size_bytes: int


def read_layers(path: Path, blobs: Path) -> list[Layer]:
    """Read the layers that the manifest *path* has; in a list of manifests, those that llama.cpp could load.

    :raises InvalidModelFileError: it, or one that it refers to, can't be read or is none
    """
    manifest = read_json(path)
    if manifest.get("mediaType") == LIST:
        manifest = _chosen(_objects(manifest.get("manifests")), blobs)
    return list(_layers(_objects(manifest.get("layers"))))


def _chosen(manifests: Iterable[dict[str, object]], blobs: Path) -> dict[str, object]:
    """That of an engine of GGUF; an entry may be a manifest itself, or the digest of one."""
    for manifest in sorted(manifests, key=lambda one: one.get("runner") == MLX):
        return manifest if "layers" in manifest else read_json(blob(blobs, _digest(manifest)))
    return {}


def _layers(layers: Iterable[dict[str, object]]) -> Iterator[Layer]:
    for layer in layers:
        kind, size_bytes = layer.get("mediaType"), layer.get("size")
        if not isinstance(kind, str) or type(size_bytes) is not int:
            raise InvalidModelFileError("a layer of it has no type or no size")
        if kind.startswith(IMAGE):
            yield Layer(kind=kind.removeprefix(IMAGE), digest=_digest(layer), size_bytes=size_bytes)


def _digest(layer: dict[str, object]) -> str:
    found = DIGEST.fullmatch(digest) if isinstance(digest := layer.get("digest"), str) else None
    if found is None:
        raise InvalidModelFileError("a digest in it is none")
    return found["hex"].lower()


def _objects(value: object) -> list[dict[str, object]]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST or not all(isinstance(one, dict) for one in value):
        raise InvalidModelFileError("its lists are not as Ollama writes them")
    return value


def blob(blobs: Path, digest: str) -> Path:
    """The file of that digest."""
    return blobs / f"sha256-{digest}"
