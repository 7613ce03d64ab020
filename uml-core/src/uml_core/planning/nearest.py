"""What would fit instead: what was said is left open bit by bit, and then the other variants are tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from uml_core.errors import UMLError
from uml_core.planning.choice import Choice
from uml_core.planning.said import MEANS, Said
from uml_core.planning.search import search_of
from uml_core.planning.subject import Subject
from uml_core.planning.subjects import Subjects
from uml_core.types import HOST, Knob, LoadRequest, Placement, StoredModel

PLACING: tuple[Knob, ...] = (*MEANS["device"], "cache_on_device")
CACHING: tuple[Knob, ...] = (*MEANS["cache_type"], "full_window", "batch")
Fields = Mapping[str, Any]


@frozen
class Nearest:
    """Looks for what is nearest to *subject*, which doesn't fit."""

    subjects: Subjects
    subject: Subject

    def would_fit(self, others: Sequence[StoredModel] = ()) -> Fields:
        """Fields of a request with which it fits, empty if there are none.

        :param others: the other variants of the model
        """
        tried = (self._fields(said) for said in self._relaxed())
        return next((fields for fields in tried if fields), None) or self._instead(others)

    def _relaxed(self) -> Iterator[Said]:
        """Less and less of what was said: what hurts least is left open first."""
        said, names = self.subject.said, self.subject.knobs.names
        context, cache, parallel = ("context_length",), ("cache_type", *names(*CACHING)), ("parallel",)
        place = ("device", *names(*PLACING))
        here = (*context, *cache, *parallel)
        for some in (context, parallel, cache, place, (*context, *cache), here, (*here, *place)):
            if (less := said.without(*some)) != said:
                yield less

    def _fields(self, said: Said) -> Fields:
        """What a request would have to say so that what *said* leaves open becomes as it fits."""
        old = self.subject
        try:
            new = evolve(self.subjects.told(old.stored, old.model, old.chosen, said), sizer=old.sizer)
            choice = search_of(new).best()
        except UMLError:
            return {}
        fields = _differences(old, new, choice) if choice else {}
        return fields if fields and self._fits(fields) else {}

    def _fits(self, fields: Fields) -> bool:
        """Whether it does, asked again as somebody would who follows the advice."""
        try:
            again = evolve(self.subjects, request=followed(self.subjects.request, fields)).one(self.subject.stored)
            return search_of(evolve(again, sizer=self.subject.sizer)).best() is not None
        except UMLError:
            return False

    def _instead(self, others: Sequence[StoredModel]) -> Fields:
        for other in sorted(others, key=lambda one: -one.size_bytes):
            try:
                subject = self.subjects.one(other)
                if search_of(subject).best():
                    return {"model": other.id}
                fields = Nearest(self.subjects, subject).would_fit()
            except UMLError:
                continue
            if fields:
                return {"model": other.id, **fields}
        return {}


def followed(request: LoadRequest, fields: Fields) -> LoadRequest:
    """*request* with the advice in it."""
    options = {**request.options, **fields.get("options", {})}
    return evolve(request, **{**fields, "options": options})


def _differences(old: Subject, new: Subject, choice: Choice) -> Fields:
    said, setting, place = old.said, choice.setting, choice.setting.placement
    fields: dict[str, Any] = {}
    if said.context_length not in (None, setting.context_length):
        fields["context_length"] = setting.context_length
    if said.parallel not in (None, setting.parallel):
        fields["parallel"] = setting.parallel
    if said.cache_type not in (None, place.cache_type_k):
        fields["cache_type"] = place.cache_type_k
    if said.device is not None and new.said.device is None:
        fields["device"] = _device(place)
    written = new.options(place)
    left = {name: written[name] for name, value in said.options.items() if value not in (None, written[name])}
    return {**fields, "options": left} if left else fields


def _device(place: Placement) -> str:
    return place.devices[0].partition(":")[0] if len(place.devices) > 1 else next(iter(place.devices), HOST)
