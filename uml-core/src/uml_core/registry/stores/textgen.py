"""text-generation-webui: a folder of models in a folder of the program, which has no place of its own."""

from __future__ import annotations

from pathlib import Path

from uml_core.registry.stores.places import Places
from uml_core.types import ModelFolder, ModelStore

NAME = "textgen"
USUAL = ("text-generation-webui", "textgen", "oobabooga/text-generation-webui", "oobabooga")
"""What people call the folder that they put it into, below the home folder."""

MODELS = ("user_data/models", "models")
"""Where its models lie in that, the newer place first."""


def store(places: Places) -> ModelStore:
    folders = tuple(places.home / usual / models for usual in USUAL for models in MODELS)
    return ModelStore(name=NAME, list=lambda: list(map(_searched, folders)), folders=folders)


def _searched(folder: Path) -> ModelFolder:
    return ModelFolder(path=folder, root=folder)
