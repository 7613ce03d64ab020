"""GPT4All: GGUF files in one folder, which its settings may name; another is of its Python package."""

from __future__ import annotations

from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import read_text, value_in
from uml_core.types import ModelFolder, ModelStore

NAME = "gpt4all"


def store(places: Places) -> ModelStore:
    folders = tuple(dict.fromkeys((_chosen(places), places.home / ".cache/gpt4all")))
    return ModelStore(
        name=NAME, list=lambda: [ModelFolder(path=folder, root=folder) for folder in folders], folders=folders
    )


def _chosen(places: Places) -> Path:
    settings = (places.data if places.platform == "win32" else places.config) / "nomic.ai/GPT4All.ini"
    try:
        chosen = value_in(read_text(settings), "modelPath", separator="=")
    except InvalidModelFileError:  # it has none: the usual place
        chosen = None
    return places.absolute(chosen or "") or places.local_data / "nomic.ai/GPT4All"
