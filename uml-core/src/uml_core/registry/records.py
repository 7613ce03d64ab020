"""What is remembered of the models on this machine; every change is a row that storage gets."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve

from uml_core import __version__
from uml_core.errors import InvalidModelFileError
from uml_core.registry.alias import check_alias
from uml_core.registry.card_row import DAMAGED, card_of, card_to_row, is_of_the_file, key_of, readers_as_text, signed
from uml_core.registry.measurements import Measurements
from uml_core.registry.profile_json import profile_from_row, profile_to_row, usage_from_row, usage_to_row
from uml_core.registry.rows import TABLES, Rows
from uml_core.registry.signature import Signature
from uml_core.storage import NoStorage, Storage
from uml_core.storage.line import stamp
from uml_core.storage.peek import Peeked, peek
from uml_core.types import Measurement, ModelCard, Profile, StoredModel, Usage

PROFILES = 20
"""How many are kept of one model with one backend, of each source: those of use must not push out the measured."""
log = logging.getLogger(__name__)


class Records:
    """Cards, aliases, pins, profiles, measurements, usage. Any thread may call any method; none waits for the disk."""

    def __init__(
        self, storage: Storage | None = None, *, known: Peeked | None = None, readers: Iterable[str] = ()
    ) -> None:
        """Remember nothing yet, or what is *known*.

        :param storage: where changes are kept; without it they are for this process
        :param readers: the packages that read formats, with their versions: what others have read is not known
        """
        self._readers = readers_as_text([f"uml-core {__version__}", *readers])
        self._rows = Rows(storage or NoStorage(), known or Peeked())
        self._profiles: dict[str, list[dict[str, Any]]] = {}
        for row in sorted(self._rows["profiles"].values(), key=_measured, reverse=True):
            self._profiles.setdefault(str(row.get("model_id")), []).append(row)
        self._measurements = Measurements(self._rows)
        self._name()

    @classmethod
    def load(cls, folder: Path, storage: Storage | None = None, *, readers: Iterable[str] = ()) -> Records:
        """Read what the data folder *folder* has; for who holds its lock, and before *storage* is started.

        Whatever can't be read is not known; that is never an error.
        """
        return cls(storage, known=peek(folder, TABLES), readers=readers)

    def put_all(self) -> None:
        """Put every row again: the database is a new one, and has none of them."""
        self._rows.put_all()

    # Cards

    def card(self, path: Path, signature: Signature) -> ModelCard | InvalidModelFileError | None:
        """What is known of the model at *path*, or why its header can't be read; None if its files have changed."""
        with self._rows.lock:
            row = self._rows["models"].get(key_of(path), {})
            return card_of(row) if signature and row.get("signature") == signed(signature, self._readers) else None

    def put_card(self, model: StoredModel, signature: Signature, card: ModelCard | InvalidModelFileError) -> None:
        """Remember what the files of *model* said when they had that *signature*; an empty one is like no other.

        An error that is not about the files, but about a reader or a disk, may be another one the next time.
        """
        if isinstance(card, InvalidModelFileError) and not is_of_the_file(card):
            return
        try:
            said = card_to_row(card)
        except DAMAGED:
            log.exception("the card of the model '%s' can't be kept: its reader is at fault", model.id)
            return
        facts: dict[str, Any] = {
            "store": model.store,
            "model_id": model.id,
            "signature": signed(signature, self._readers),
        }
        self._rows.put("models", key_of(model.path), **facts, **said, seen=stamp(), gone=None)

    def files_of(self, path: Path) -> tuple[Path, ...]:
        """The files that the signature of the remembered card is made of; *path* itself if none is known."""
        with self._rows.lock:
            card = card_of(self._rows["models"].get(key_of(path), {}))
        return card.files if isinstance(card, ModelCard) else (path,)

    def gone(self, paths: Iterable[Path]) -> int:
        """Mark the models that are remembered and not at *paths*, which are all there are; return how many are new so.

        Nothing is forgotten for some months: a disk may come back, and then they are as they were.
        """
        there, now, count = {key_of(path) for path in paths}, stamp(), 0
        with self._rows.lock:
            for key, row in self._rows["models"].items():
                if key in there and row.get("gone"):
                    self._rows.put("models", key, gone=None)
                elif key not in there and not row.get("gone"):
                    self._rows.put("models", key, gone=now)
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
        self._rename("aliases", alias, model_id=model_id, created=stamp(), removed=None)

    def remove_alias(self, alias: str) -> bool:
        """Have *alias* mean nothing; return whether it meant something."""
        with self._rows.lock:
            known = alias in self._aliases
            if known:
                self._rename("aliases", alias, removed=stamp())
            return known

    @property
    def pins(self) -> frozenset[str]:
        """The ids of the models that are to stay."""
        return self._pins

    def pin(self, model_id: str, *, on: bool) -> None:
        """Pin a model, or take the pin off."""
        with self._rows.lock:
            if on and model_id not in self._pins:
                self._rename("pins", model_id, created=stamp(), removed=None)
            elif not on and model_id in self._pins:
                self._rename("pins", model_id, removed=stamp())

    def _rename(self, table: str, id: str, **values: Any) -> None:
        with self._rows.lock:
            self._rows.put(table, id, **values)
            self._name()

    def _name(self) -> None:
        """Make anew what others look at without a lock."""
        aliases, pins = self._rows["aliases"].items(), self._rows["pins"].items()
        self._aliases = {alias: str(row["model_id"]) for alias, row in aliases if _stands(row) and row.get("model_id")}
        self._pins = frozenset(id for id, row in pins if _stands(row))

    # Profiles, measurements and usage

    def profiles(self, model_id: str, *, model_bytes: int | None = None) -> tuple[Profile, ...]:
        """How the model did, newest first; with *model_bytes* only when it had that size."""
        with self._rows.lock:
            rows = list(self._profiles.get(model_id, ()))
        found = (_profile(row) for row in rows if model_bytes is None or row.get("model_bytes") == model_bytes)
        return tuple(profile for profile in found if profile)

    def put_profile(self, profile: Profile) -> None:
        """Remember one more; of each kind the newest stay."""
        with self._rows.lock:
            row = self._rows.put("profiles", os.urandom(8).hex(), **profile_to_row(profile))
            rows = [row, *self._profiles.get(profile.model_id, ())]
            rows.sort(key=_measured, reverse=True)
            kind = (profile.backend, profile.source)
            for surplus in [row for row in rows if (row.get("backend"), row.get("source")) == kind][PROFILES:]:
                rows.remove(surplus)
                self._rows["profiles"].pop(surplus["id"], None)
            self._profiles[profile.model_id] = rows

    def measurements(self, *, backend: str) -> tuple[Measurement, ...]:
        """What loads with *backend* took of memory, the newest first."""
        return self._measurements.of(backend)

    def put_measurement(self, measurement: Measurement, *, load: str) -> None:
        """Remember one more; a later one of the same *load*, device and kind takes its place."""
        self._measurements.put(measurement, load=load)

    def usage(self, model_id: str) -> Usage:
        """How often the model was used."""
        try:
            return usage_from_row(self._rows["usage"].get(model_id, {}))
        except DAMAGED:
            return Usage()

    def count_load(self, model_id: str) -> None:
        """It was loaded just now."""
        with self._rows.lock:
            usage = self.usage(model_id)
            self._count(model_id, evolve(usage, loads=usage.loads + 1, last_loaded=datetime.now(UTC)))

    def count_request(self, model_id: str, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """It has answered just now."""
        with self._rows.lock:
            usage = self.usage(model_id)
            counted = evolve(
                usage,
                requests=usage.requests + 1,
                prompt_tokens=usage.prompt_tokens + prompt_tokens,
                completion_tokens=usage.completion_tokens + completion_tokens,
                last_used=datetime.now(UTC),
            )
            self._count(model_id, counted)

    def _count(self, model_id: str, usage: Usage) -> None:
        # Counts that don't go on from the database's must not take their place.
        self._rows.put("usage", model_id, keep=self._rows.whole, **usage_to_row(usage))


def _stands(row: Mapping[str, Any]) -> bool:
    return not row.get("removed")


def _measured(row: Mapping[str, Any]) -> str:
    return str(row.get("measured"))


def _profile(row: Mapping[str, Any]) -> Profile | None:
    try:
        return profile_from_row(row)
    except DAMAGED:
        log.warning("a profile of the model '%s' can't be read; it is left out", row.get("model_id"))
        return None
