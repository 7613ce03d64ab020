"""What llama.cpp notes beside the files that it has downloaded: which repository they are of.

Versions from 2025 on write ``manifest=org=name=tag.json``, those before ``file.gguf.json`` with the address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.registry.links import SHA256
from uml_core.registry.stores.reading import read_json

MANIFEST = re.compile(r"manifest=(?P<org>[\w.-]+)=(?P<name>[\w.-]+)=(?P<tag>[^=]+)\.json", re.ASCII)
NOTE = ".gguf.json"
ADDRESS = re.compile(r"/(?P<repository>[\w.-]+/[\w.-]+)/resolve/.+", re.ASCII)


@frozen(kw_only=True)
class Download:
    """Where a file is from: its repository ``org/name``, its SHA-256, and the name of its projector's file."""

    repository: str
    digest: str | None = None
    projector: str | None = None


def downloads(folder: Path, names: Iterable[str]) -> dict[str, Download]:
    """What is noted in *folder*, by the names of the files; a note that can't be read is none.

    :param names: what lies in *folder*
    """
    found: dict[str, Download] = {}
    for name in names:
        manifest = MANIFEST.fullmatch(name)
        if manifest is None and not name.endswith(NOTE):
            continue
        try:
            note = read_json(folder / name)
        except InvalidModelFileError:
            continue
        if manifest:
            found |= _in_manifest(note, f"{manifest['org']}/{manifest['name']}")
        else:
            found.update((name.removesuffix(".json"), download) for download in _in_note(note))
    return found


def _in_manifest(note: dict[str, object], repository: str) -> dict[str, Download]:
    name = _local(note, "ggufFile", repository)
    if name is None:
        return {}
    projector = _local(note, "mmprojFile", repository)
    return {name: Download(repository=repository, digest=_lfs_digest(note["ggufFile"]), projector=projector)}


def _local(note: dict[str, object], key: str, repository: str) -> str | None:
    """What the file that *note* has under *key* is called here: a flat name."""
    file = note.get(key)
    name = file.get("rfilename") if isinstance(file, dict) else None
    return f"{repository}_{name}".replace("/", "_") if isinstance(name, str) and name else None


def _lfs_digest(file: object) -> str | None:
    lfs = file.get("lfs") if isinstance(file, dict) else None
    digest = lfs.get("sha256") if isinstance(lfs, dict) else None
    return digest if isinstance(digest, str) and SHA256.fullmatch(digest) else None


def _in_note(note: dict[str, object]) -> Iterator[Download]:
    """The etag of a large file is its SHA-256, between quotes."""
    url, etag = note.get("url"), note.get("etag")
    address = ADDRESS.fullmatch(urlsplit(url).path) if isinstance(url, str) and _is_url(url) else None
    if address:
        digest = etag.strip('"') if isinstance(etag, str) else ""
        yield Download(repository=address["repository"], digest=digest if SHA256.fullmatch(digest) else None)


def _is_url(url: str) -> bool:
    return url.startswith(("https://", "http://")) and "[" not in url  # urlsplit raises on odd brackets
