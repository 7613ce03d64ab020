"""Which files of a folder hold the model's weights, and which of them are not there."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.huggingface.folder import Folder, plain
from uml_core.inspection.json_file import read_object

FILES = 4096
PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.[a-z]+)")
BESIDE = re.compile(r"(adapter_|consolidated|optimizer|scheduler|scaler|training_args|rng_state).*")
"""Files that are not the model, or hold it a second time."""


@frozen(kw_only=True)
class Weights:
    """``index`` is the file that names the others."""

    files: tuple[Path, ...]
    missing: tuple[str, ...] = ()
    index: Path | None = None


@frozen(kw_only=True)
class Naming:
    """How a format calls its files: ``<stem><suffix>``, and ``<stem><suffix>.index.json`` for one in parts."""

    stem: str
    suffixes: tuple[str, ...]

    @property
    def single(self) -> str:
        return self.stem + self.suffixes[0]

    def ours(self, name: str) -> bool:
        return name.endswith(self.suffixes) and not BESIDE.fullmatch(name)

    def indexes(self, folder: Folder) -> list[str]:
        ends = tuple(f"{suffix}.index.json" for suffix in self.suffixes)
        names = sorted(name for name in folder.names if name.endswith(ends) and not BESIDE.fullmatch(name))
        return sorted(names, key=lambda name: name != f"{self.single}.index.json")

    def there(self, folder: Folder) -> bool:
        """Whether the folder has, or should have, weights in this format."""
        return any(self.ours(name) for name in folder.names) or bool(self.indexes(folder))


def find_weights(folder: Folder, naming: Naming) -> Weights:
    """Find the weights in the order in which transformers looks for them: one file, an index, and then what there is.

    :raises InvalidModelFileError: an index is broken or leads out of the folder, or a file is not a regular one
    """
    if naming.single in folder.names:
        return _present(folder, [naming.single])
    if indexes := naming.indexes(folder):
        return _indexed(folder, folder.path / indexes[0], naming)
    names = sorted(name for name in folder.names if naming.ours(name))
    parts = [name for name in names if PART.fullmatch(name)]
    return _present(folder, all_parts(parts[0]) if parts else _without_variants(names))


def all_parts(name: str) -> list[str]:
    """The names of all parts of the set that *name* is one of; *name* alone if it's no part.

    :raises InvalidModelFileError: the set is said to have more parts than any model
    """
    part = PART.fullmatch(name)
    if part is None or not 1 <= int(part["number"]) <= int(part["count"]):
        return [name]
    if int(part["count"]) > FILES:
        raise InvalidModelFileError(f"'{shown(name)}' is one of more parts than any model has; look at its name")
    return [
        f"{part['stem']}-{number:05}-of-{part['count']}{part['suffix']}" for number in range(1, int(part["count"]) + 1)
    ]


def _without_variants(names: list[str]) -> list[str]:
    """``model.fp16.safetensors`` is ``model.safetensors`` once more; without such a twin it is the model."""
    there = set(names)
    return [name for name in names if re.sub(r"\.[a-z0-9]+(?=\.[a-z]+$)", "", name) not in there - {name}]


def _indexed(folder: Folder, index: Path, naming: Naming) -> Weights:
    folder.file(index.name)
    entries = read_object(index).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise InvalidModelFileError(f"'{shown(index.name)}' names no files of weights; download it again")
    names = set(entries.values()) if all(map(plain, entries.values())) else None
    if names is None or len(names) > FILES or not all(name.endswith(naming.suffixes) for name in names):
        strange = next((name for name in entries.values() if not plain(name) or not name.endswith(naming.suffixes)), "")
        raise InvalidModelFileError(
            f"'{shown(index.name)}' names '{shown(str(strange)[:200])}', which can't be a file of weights beside it; "
            "don't use this model"
        )
    found = _present(folder, sorted(names))
    return Weights(files=found.files, missing=found.missing, index=index)


def _present(folder: Folder, names: list[str]) -> Weights:
    found = {name: folder.file(name) for name in names}
    return Weights(
        files=tuple(path for path in found.values() if path),
        missing=tuple(name for name, path in found.items() if not path),
    )
