"""The cache of the Hugging Face hub, which transformers, llama.cpp and many others share.

Its layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from uml_core.errors import InvalidModelFileError
from uml_core.registry.stores.places import Places
from uml_core.registry.stores.reading import entries, read_text
from uml_core.types import ModelFolder, ModelStore, Unreadable

NAME = "huggingface"
REPOSITORY = re.compile(r"models--(?P<name>[\w.-]+)", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
REF_BYTES = 256


def store(places: Places) -> ModelStore:
    folder = cache(places)
    return ModelStore(name=NAME, list=lambda: repositories(folder, store=NAME), folders=(folder,))


def cache(places: Places) -> Path:
    """Where the hub's cache is, by the variables that its own library looks at."""
    if (named := places.named("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")) is not None:
        return named
    home = places.named("HF_HOME") or places.cache / "huggingface"
    return home / "hub"


def repositories(folder: Path, *, store: str) -> Iterator[ModelFolder | Unreadable]:
    """Each repository of a model, by its snapshot of ``main``."""
    problems: list[Unreadable] = []
    for entry in entries(folder, problems, store=store):
        found = REPOSITORY.fullmatch(entry.name)
        if found and (snapshot := _snapshot(entry.path, problems, store)) is not None:
            name = found["name"].replace("--", "/", 1)
            yield ModelFolder(path=snapshot, name=name, root=folder, blobs=Path(entry.path, "blobs"))
    yield from problems


def _snapshot(repository: str, problems: list[Unreadable], store: str) -> Path | None:
    """The commit that ``main`` stands for if it is there, else the newest one."""
    snapshots = Path(repository, "snapshots")
    try:
        commit = read_text(Path(repository, "refs", "main"), most_bytes=REF_BYTES).strip()
    except InvalidModelFileError:
        commit = ""
    if COMMIT.fullmatch(commit) and os.path.isdir(path := f"{snapshots}/{commit}"):  # noqa: PTH112
        return Path(path)
    found = [entry for entry in entries(snapshots, problems, store=store) if entry.is_dir(follow_symlinks=False)]
    newest = max(found, key=lambda entry: entry.stat().st_mtime_ns, default=None)
    return Path(newest.path) if newest else None
