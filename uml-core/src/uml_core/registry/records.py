"""What is remembered of the models on this machine; every change is a row that storage gets."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve

from uml_core import __version__
from uml_core.errors import BadRequestError, InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.registry.card_json import from_json, to_json
from uml_core.registry.profile_json import profile_from_row, profile_to_row, usage_from_row, usage_to_row
from uml_core.storage import NoStorage, Storage
from uml_core.storage.line import stamp
from uml_core.storage.peek import Peeked, Rows, peek
from uml_core.types import ModelCard, Profile, StoredModel, Usage

TABLES = ("models", "aliases", "pins", "profiles", "usage")
ALIAS_CHARACTERS = 200
PROFILES = 20
"""How many are kept of one model with one backend, of each source: those of use must not push out the measured."""
log = logging.getLogger(__name__)
Signature = tuple[tuple[int, int, int], ...]
"""Inode, size in bytes and time of change in nanoseconds of each file that a model is made of."""
NOT_SUCH = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Records:
    """Cards, aliases, pins, profiles and usage. Any thread may call any method; none waits for the disk."""

    def __init__(self, storage: Storage | None = None, *, known: Peeked | None = None) -> None:
        """Remember nothing yet, or what is *known*.

        :param storage: where changes are kept; without it they are for this process
        """
        self._storage = storage or NoStorage()
        self._lock = threading.RLock()
        known = known or Peeked()
        self._whole = known.whole
        self._rows: dict[str, Rows] = {table: known.tables.get(table, {}) for table in TABLES}
        self._profiles: dict[str, list[dict[str, Any]]] = {}
        for row in sorted(self._rows["profiles"].values(), key=lambda row: str(row.get("measured"))):
            self._profiles.setdefault(str(row.get("model_id")), []).insert(0, row)
        self._name()

    @classmethod
    def load(cls, folder: Path, storage: Storage | None = None) -> Records:
        """Read what the data folder *folder* has; for who holds its lock, and before *storage* is started.

        Whatever can't be read is not known; that is never an error.
        """
        return cls(storage, known=peek(folder, TABLES))

    def put_all(self) -> None:
        """Put every row again: the database is a new one, and has none of them."""
        with self._lock:
            self._whole = True
            for table, rows in self._rows.items():
                for id, row in rows.items():
                    card = row.get("card")
                    text = {"card": _text(to_json(card))} if isinstance(card, ModelCard) else {}
                    self._storage.put(table, {**row, **text, "id": id})

    # Cards

    def card(self, path: Path, signature: Signature) -> ModelCard | InvalidModelFileError | None:
        """What is known of the model at *path*, or why its header can't be read; None if its files have changed."""
        with self._lock:
            row = self._rows["models"].get(_key(path), {})
            if not signature or row.get("signature") != _signed(signature):
                return None
            if error := row.get("error"):
                message, *detail = str(error).split("\n")
                return InvalidModelFileError(message, detail=detail)
            return _card(row)

    def put_card(self, model: StoredModel, signature: Signature, card: ModelCard | InvalidModelFileError) -> None:
        """Remember what the files of *model* said when they had that *signature*; an empty one is like no other."""
        self._put(
            "models",
            _key(model.path),
            store=model.store,
            model_id=model.id,
            signature=_signed(signature),
            card=None if isinstance(card, InvalidModelFileError) else _text(to_json(card)),
            error=str(card) if isinstance(card, InvalidModelFileError) else None,
            seen=stamp(),
            gone=None,
        )

    def files_of(self, path: Path) -> tuple[Path, ...]:
        """The files that the signature of the remembered card is made of; *path* itself if none is known."""
        with self._lock:
            card = _card(self._rows["models"].get(_key(path), {}))
        return card.files if card else (path,)

    def gone(self, paths: Iterable[Path]) -> int:
        """Mark the models that are remembered and not at *paths*, which are all there are; return how many are new so.

        Nothing is forgotten for some months: a disk may come back, and then they are as they were.
        """
        there, now, count = {_key(path) for path in paths}, stamp(), 0
        with self._lock:
            for key, row in list(self._rows["models"].items()):
                if key in there and row.get("gone"):
                    self._put("models", key, gone=None)
                elif key not in there and not row.get("gone"):
                    self._put("models", key, gone=now)
                    count += 1
        return count

    # Aliases and pins

    @property
    def aliases(self) -> Mapping[str, str]:
        """The id of the model that each alias means."""
        return self._aliases

    def set_alias(self, alias: str, model_id: str) -> None:
        """Have *alias* mean that model from now on.

        :raises BadRequestError: it is empty, too long, or can't be shown
        """
        check_alias(alias)
        self._put("aliases", alias, model_id=model_id, created=stamp(), removed=None)

    def remove_alias(self, alias: str) -> bool:
        """Have *alias* mean nothing; return whether it meant something."""
        with self._lock:
            known = alias in self._aliases
            if known:
                self._put("aliases", alias, removed=stamp())
            return known

    @property
    def pins(self) -> frozenset[str]:
        """The ids of the models that are to stay."""
        return self._pins

    def pin(self, model_id: str, *, on: bool) -> None:
        """Pin a model, or take the pin off."""
        with self._lock:
            if on and model_id not in self._pins:
                self._put("pins", model_id, created=stamp(), removed=None)
            elif not on and model_id in self._pins:
                self._put("pins", model_id, removed=stamp())

    # Profiles and usage

    def profiles(self, model_id: str, *, model_bytes: int | None = None) -> tuple[Profile, ...]:
        """How the model did, newest first; with *model_bytes* only when it had that size."""
        with self._lock:
            rows = list(self._profiles.get(model_id, ()))
        found = (_profile(row) for row in rows if model_bytes is None or row.get("model_bytes") == model_bytes)
        return tuple(profile for profile in found if profile)

    def put_profile(self, profile: Profile) -> None:
        """Remember one more; of one model with one backend the newest stay."""
        row = profile_to_row(profile)
        with self._lock:
            id = os.urandom(8).hex()
            self._put("profiles", id, **row)
            rows = [{"id": id, **row}, *self._profiles.get(profile.model_id, ())]
            rows.sort(key=lambda row: str(row.get("measured")), reverse=True)
            alike = [
                row for row in rows if (row.get("backend"), row.get("source")) == (profile.backend, profile.source)
            ]
            surplus = alike[PROFILES:]
            self._profiles[profile.model_id] = [row for row in rows if row not in surplus]
            for row in surplus:
                self._rows["profiles"].pop(row["id"], None)

    def usage(self, model_id: str) -> Usage:
        """How often the model was used."""
        try:
            return usage_from_row(self._rows["usage"].get(model_id, {}))
        except NOT_SUCH:
            return Usage()

    def count_load(self, model_id: str) -> None:
        """It was loaded just now."""
        with self._lock:
            usage, now = self.usage(model_id), datetime.now(UTC)
            self._count(model_id, evolve(usage, loads=usage.loads + 1, last_loaded=now))

    def count_request(self, model_id: str, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """It has answered just now."""
        with self._lock:
            usage = self.usage(model_id)
            self._count(
                model_id,
                evolve(
                    usage,
                    requests=usage.requests + 1,
                    prompt_tokens=usage.prompt_tokens + prompt_tokens,
                    completion_tokens=usage.completion_tokens + completion_tokens,
                    last_used=datetime.now(UTC),
                ),
            )

    def _count(self, model_id: str, usage: Usage) -> None:
        # Counts that don't go on from the database's must not take their place.
        self._put("usage", model_id, keep=self._whole, **usage_to_row(usage))

    def _put(self, table: str, id: str, /, *, keep: bool = True, **values: Any) -> None:
        with self._lock:  # rows reach storage in the order in which they change what is known
            self._rows[table].setdefault(id, {"id": id}).update(values)
            if keep:
                self._storage.put(table, {"id": id, **values})
            if table in {"aliases", "pins"}:
                self._name()

    def _name(self) -> None:
        """Make anew what others look at without a lock."""
        aliases, pins = self._rows["aliases"].items(), self._rows["pins"].items()
        self._aliases = {alias: str(row["model_id"]) for alias, row in aliases if _stands(row) and row.get("model_id")}
        self._pins = frozenset(id for id, row in pins if _stands(row))


def check_alias(alias: str) -> None:
    """Refuse what nobody could type or read.

    :raises BadRequestError: it is empty, too long, or has control characters
    """
    if not alias.strip():
        raise BadRequestError("an alias can't be empty; give the model a short name")
    if len(alias) > ALIAS_CHARACTERS:
        raise BadRequestError(
            f"the alias '{shown(alias)}' has {len(alias)} characters; take one of at most {ALIAS_CHARACTERS}"
        )
    if not alias.isprintable() or alias != alias.strip():
        raise BadRequestError(
            f"the alias '{shown(alias)}' has characters that can't be seen; take letters, digits and signs"
        )


def _card(row: dict[str, Any]) -> ModelCard | None:
    """The card of a row of models: text until somebody asks for it, from then on the card itself."""
    card = row.get("card")
    if isinstance(card, str):
        try:
            card = row["card"] = from_json(json.loads(card))
        except NOT_SUCH:  # damaged: to read the header again costs little
            card = row["card"] = None
    return card


def _stands(row: Mapping[str, Any]) -> bool:
    return not row.get("removed")


def _profile(row: Mapping[str, Any]) -> Profile | None:
    try:
        return profile_from_row(row)
    except NOT_SUCH:
        log.warning("a profile of the model '%s' can't be read; it is left out", row.get("model_id"))
        return None


def _key(path: Path) -> str:
    """A path as text that SQLite takes: a name that is no UTF-8 has its bytes written out."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _signed(signature: Signature) -> str:
    # With the version: a later one may read more out of the same files.
    return _text([__version__, signature])


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
