"""All the files that a model is made of, and those that say how it is used: by name, no header is read."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

from uml_core.inspection.onnx.beside import GRAPHS_FOLDER
from uml_core.registry.parts import parts_beside

MOST_FILES = 256
WHOLE = (".gguf", "")
"""Files that hold all of their model, tokenizer and template too; those without a suffix are Ollama's."""


@frozen
class Belonging:
    """A file of a model; ``name`` is what the model's other files call it, empty if none does."""

    name: str
    path: str
    state: os.stat_result


def belongings(path: Path) -> list[Belonging]:
    """The files of the model at *path*, sorted.

    A graph may keep its tensors in a file of any name, and has its tokenizer beside it: so all that lies there counts.
    It may be more than what is the model's, and then a copy is not known for one, which is no harm.

    :raises OSError: one of them can't be looked at, or there are too many to tell what is the model's
    """
    if path.suffix.lower() in WHOLE and not path.is_dir():
        return [Belonging("", str(part), part.stat()) for part in parts_beside(path)]
    folder = path if path.is_dir() else path.parent
    root = folder.parent if folder.name == GRAPHS_FOLDER else folder
    found = [Belonging("", str(path), path.stat())] if path != folder else []
    if root != folder:
        _look(root, root, found)
    places = [folder]
    for place in places:
        if place.is_symlink() and place != folder:
            raise OSError(f"{place} leads elsewhere")
        places += _look(place, root, found)
        if len(places) + len(found) > MOST_FILES:
            raise OSError(f"{folder} holds more than {MOST_FILES} files")
    return sorted(found, key=lambda one: (one.name, one.path))


def _look(folder: Path, root: Path, found: list[Belonging]) -> list[Path]:
    """Add the files in *folder* to *found*; the folders in it."""
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                below.append(Path(entry.path))
            elif entry.is_file():
                found.append(Belonging(os.path.relpath(entry.path, root), entry.path, entry.stat()))
    return below
