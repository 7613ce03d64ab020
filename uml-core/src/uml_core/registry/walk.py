"""Find the models in a folder by names and sizes: no header is read, and nothing but regular files is looked at."""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from uml_core.inspection.file import shown
from uml_core.registry.found import Found
from uml_core.registry.here import ARIA2, MODULES, PIPELINE, Here, is_folder
from uml_core.registry.links import Links
from uml_core.registry.naming import named
from uml_core.registry.parts import sets_of
from uml_core.registry.projectors import is_projector, of_model
from uml_core.registry.unreadable import called, unreadable
from uml_core.types import ModelFolder, ModelFormat, StoredModel, Unreadable

DEPTH = 16
ENTRIES = 400_000
"""As many names are looked at in one folder: a second or so, for what is no folder of models."""

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".onnx")
DATA = ("_data", ".data")
"""What follows the name of a file in the names of those that hold its tensors, as ONNX has them."""


def _with_data(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    return (*suffixes, *(suffix + end for suffix in suffixes for end in DATA))


WEIGHTS_WITH_DATA = _with_data(WEIGHTS)
log = logging.getLogger(__name__)


def walk(folder: ModelFolder, formats: Sequence[ModelFormat], *, store: str) -> Iterator[StoredModel | Unreadable]:
    """Give the models of *formats* in *folder*, sorted by path, and then the places in it that can't be read.

    A folder that a format claims is one model. Files of the formats before that one are models of their own in it;
    the others belong to it. The parts of a split model are one, and projectors are companions of the models beside
    them. Hidden, unfinished and unprintable names are left out.
    """
    search = _Search(folder, formats, store)
    found = sorted(search.found(), key=lambda one: (one.place, one.path.name))
    yield from named(found, folder, store=store)
    yield from sorted(search.problems, key=lambda problem: str(problem.path))


class _Search:
    def __init__(self, folder: ModelFolder, formats: Sequence[ModelFormat], store: str) -> None:
        self.problems: list[Unreadable] = []
        self._folder = folder
        self._formats = formats
        self._marks = {mark for format in formats for mark in format.marks}
        self._suffixes = _suffixes(formats)
        self._of_use = (*_with_data(self._suffixes), *WEIGHTS_WITH_DATA, ARIA2)
        self._store = store
        self._links = Links(folder, store)
        self._entries = 0

    def found(self) -> Iterator[Found]:
        """Breadth first, so that what lies near the top is found also where there is too much below it."""
        outside = self._links.itself()
        self.problems += filter(None, [outside])
        waiting = deque([] if outside else [("", 0)])
        while waiting and self._entries <= ENTRIES:
            below, depth = waiting.popleft()
            here = self._here(below)
            yield from self._models(here)
            if depth < DEPTH:
                waiting += ((f"{below}/{name}" if below else name, depth + 1) for name in here.folders(self._suffixes))
            self.problems += here.problems

    def _here(self, below: str) -> Here:
        place = f"{self._folder.path}{os.sep}{below}" if below else str(self._folder.path)
        entries: dict[str, os.DirEntry[str]] = {}
        here = Here(place, below, entries=entries, links=self._links)
        try:
            with os.scandir(place) as listing:
                for entry in listing:
                    self._entries += 1
                    if self._entries > ENTRIES:
                        here.problems.append(_too_many(self._folder.path, self._store))
                        break
                    if self._is_of_use(entry):
                        entries[entry.name] = entry
        except OSError as error:
            here.problems += filter(None, [unreadable(Path(place), error, store=self._store)])
        return here

    def _is_of_use(self, entry: os.DirEntry[str]) -> bool:
        """Whether it can be, lead to, or say something of a model; most files can't."""
        name = entry.name
        marks = name in self._marks or name in (PIPELINE, MODULES)
        known = marks or name.lower().endswith(self._of_use) or entry.is_symlink() or is_folder(entry)
        return known and not name.startswith(".") and name.isprintable()  # else it could not be typed or shown

    def _models(self, here: Here) -> Iterator[Found]:
        owner = self._owner(here)
        if owner is not None:
            yield from _whole(here, self._formats[owner], rooted=self._folder.root is not None)
        if suffixes := self._suffixes if owner is None else _suffixes(self._formats[:owner]):
            yield from _single(here, suffixes)

    def _owner(self, here: Here) -> int | None:
        """The number of the first format that claims the folder as a whole."""
        if self._marks.isdisjoint(here.entries):
            return None
        for number, format in enumerate(self._formats):
            if not here.entries.keys().isdisjoint(format.marks) and _claims(format, here.path):
                return number
        return None


def _whole(here: Here, format: ModelFormat, *, rooted: bool) -> Iterator[Found]:
    """The folder as a model, of the size of its weights; not where one of its files is a link out of the store."""
    problems = len(here.problems)
    here.files(format.marks, whole=True)
    files = here.files(_with_data(format.suffixes) or WEIGHTS_WITH_DATA, whole=True)
    if not (rooted and len(here.problems) > problems):
        size_bytes = sum(file.size_bytes for file in files.values())
        yield Found(below=here.below, path=here.path, size_bytes=size_bytes)


def _single(here: Here, suffixes: tuple[str, ...]) -> Iterator[Found]:
    """Each file, or set of parts, as a model."""
    files = here.files(suffixes)
    if not files:
        return
    projectors = {Path(name).stem: name for name in sorted(files) if is_projector(name)}
    data = _data_bytes(here, suffixes)
    sizes = {name: file.size_bytes + data[name] for name, file in files.items() if not is_projector(name)}
    sets = sets_of(sizes, suffixes)
    for one in sets:
        companions = of_model(one.stem, projectors, alone=len(sets) == 1)
        yield Found(
            below=here.below,
            path=here.path / one.names[0],
            size_bytes=one.size_bytes,
            stem=one.stem,
            digest=files[one.names[0]].digest if len(one.names) == 1 else None,
            companions=tuple(here.path / projectors[stem] for stem in companions),
        )


def _data_bytes(here: Here, suffixes: Sequence[str]) -> Counter[str]:
    """The bytes of tensors that lie beside a file, by its name."""
    found: Counter[str] = Counter()
    for end in DATA:
        for name, file in here.files(tuple(suffix + end for suffix in suffixes), whole=True).items():
            found[name[: -len(end)]] += file.size_bytes
    return found


def _suffixes(formats: Sequence[ModelFormat]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(suffix for format in formats for suffix in format.suffixes))


def _claims(format: ModelFormat, path: Path) -> bool:
    try:
        return bool(format.claims(path, b""))
    except Exception:  # a bug of one reader must not keep the others from the folder
        log.warning("format '%s' failed to look at '%s'", format.name, shown(path.name), exc_info=True)
        return False


def _too_many(folder: Path, store: str) -> Unreadable:
    why = f"{called(folder, store)} has more than {ENTRIES:,} files, and only these were looked at"
    return Unreadable(path=folder, reason=f"{why}; name the folder of models in it instead")
