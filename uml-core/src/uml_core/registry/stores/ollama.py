"""Ollama: manifests by name and tag, and the files that they name by digest.

Its places: https://github.com/ollama/ollama/blob/main/docs/faq.mdx
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.registry.root import Root
from uml_core.registry.stores.manifest import Layer, blob, read_layers
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import entries
from uml_core.types import ModelStore, StoredModel, Unreadable

NAME = "ollama"
MANIFESTS = ("manifests-v2", "manifests")
"""A name in the first hides the same name in the second."""

HOST, NAMESPACE = "registry.ollama.ai", "library"
NAME_PARTS = 4
SERVICES = ("usr/share/ollama/.ollama/models", "var/lib/ollama/models", "var/lib/ollama/.ollama/models")
"""Where Ollama keeps models that runs as a service: its own installer's place, and those of distributions."""

JOIN = (
    "let Ollama's group read it (`sudo chmod -R g+rX /usr/share/ollama`, or where its service has its home), and "
    "join that group (`sudo usermod -aG ollama $USER`)"
)


def store(places: Places) -> ModelStore:
    folders = _folders(places)

    def list_models() -> Iterator[StoredModel | Unreadable]:
        for folder in folders:
            yield from folder.models()

    watched = tuple(folder.path / name for folder in folders for name in MANIFESTS)
    return ModelStore(name=NAME, list=list_models, folders=watched)


def _folders(places: Places) -> list[_Folder]:
    """The user's own folders, and on Linux those of the service, each once."""
    own = [path for path in (places.named("OLLAMA_MODELS"), places.home / ".ollama/models") if path is not None]
    services = [places.system / service for service in SERVICES if places.platform == "linux"]
    ways_out = dict.fromkeys(services, JOIN) | dict.fromkeys(own)
    return [_Folder(path, ways_out[path]) for path in dict.fromkeys([*own, *services])]


@frozen
class _Folder:
    path: Path
    way_out: str | None

    def models(self) -> Iterator[StoredModel | Unreadable]:
        problems: list[Unreadable] = []
        found: dict[str, Path] = {}
        root = Root(self.path)
        here = {entry.name for entry in self._entries(self.path, problems)}
        for manifests in MANIFESTS:
            if manifests in here:
                for manifest, parts in self._manifests(self.path / manifests, (), problems):
                    found.setdefault(_name(parts), manifest)
        for name, manifest in found.items():
            yield from self._model(name, manifest, root)
        yield from problems

    def _manifests(
        self, folder: Path, parts: tuple[str, ...], problems: list[Unreadable]
    ) -> Iterator[tuple[Path, tuple[str, ...]]]:
        """The manifests below *folder*, with the four parts of their names: host, namespace, model and tag."""
        for entry in self._entries(folder, problems):
            inner = (*parts, entry.name)
            if len(inner) == NAME_PARTS:
                yield Path(entry.path), inner
            elif entry.is_dir(follow_symlinks=False):
                yield from self._manifests(Path(entry.path), inner, problems)

    def _entries(self, folder: Path, problems: list[Unreadable]) -> list[os.DirEntry[str]]:
        return entries(folder, problems, store=NAME, way_out=self.way_out)

    def _model(self, name: str, manifest: Path, root: Root) -> Iterator[StoredModel | Unreadable]:
        """The model, the reason why it can't be used, or nothing for one that runs in Ollama's cloud."""
        try:
            layers = read_layers(manifest, self.path / "blobs")
            weights = [layer for layer in layers if layer.kind == "model"]
            if len(weights) == 1:
                yield self._stored(name, weights[0], layers, root)
            elif weights or any(layer.kind == "tensor" for layer in layers):
                why = "it is kept in pieces, which only Ollama can put together; fetch the model in another form"
                yield Unreadable(path=manifest, reason=f"Ollama's '{shown(name)}' can't be used: {why}")
        except InvalidModelFileError as error:
            why = str(error).partition(";")[0]
            way_out = f"`ollama pull {shown(name)}` fetches it again"
            yield Unreadable(path=manifest, reason=f"Ollama's '{shown(name)}' can't be used: {why}; {way_out}")

    def _stored(self, name: str, weights: Layer, layers: list[Layer], root: Root) -> StoredModel:
        companions = [layer for layer in layers if layer.kind in ("projector", "adapter")]
        model, tag = name.rsplit(":", 1)
        return StoredModel(
            id=name,
            path=self._file(weights, root),
            size_bytes=weights.size_bytes,
            store=NAME,
            name=model,
            variant=tag,
            digest=weights.digest,
            companions=tuple(self._file(layer, root) for layer in companions),
        )

    def _file(self, layer: Layer, root: Root) -> Path:
        """The file of *layer*.

        :raises InvalidModelFileError: it isn't there, isn't whole, or isn't in this folder
        """
        path = blob(self.path / "blobs", layer.digest)
        try:
            found = path.stat()
        except FileNotFoundError:
            raise InvalidModelFileError("a file of it is missing") from None
        except OSError as error:
            raise InvalidModelFileError(f"a file of it can't be read: {error.strerror}") from None
        if found.st_size != layer.size_bytes or not stat.S_ISREG(found.st_mode):
            raise InvalidModelFileError("a file of it isn't whole")
        if not root.has(str(path)):
            raise InvalidModelFileError("a file of it is a link out of Ollama's folder")
        return path


def _name(parts: tuple[str, ...]) -> str:
    host, namespace, model, tag = parts
    shown_host = "" if host == HOST else f"{host}/"
    shown_namespace = "" if not shown_host and namespace == NAMESPACE else f"{namespace}/"
    return f"{shown_host}{shown_namespace}{model}:{tag}"
