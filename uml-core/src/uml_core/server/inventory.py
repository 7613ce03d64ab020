"""The models of this machine and what is remembered of them, in the words of the HTTP face; without a gateway too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from attrs import asdict

from uml_core.errors import ConflictError, ModelNotFoundError, NotFoundError, UMLError
from uml_core.inspection.file import shown
from uml_core.server.cards import Cards, profile_view
from uml_core.server.catalog import Shelf, read, shelf_of
from uml_core.server.details import NO_SOURCE, backends_of, source_details
from uml_core.server.plan_view import plan_view
from uml_core.server.removal import remove
from uml_core.server.wanted import Wanted

if TYPE_CHECKING:
    from uml_core.planning import Planner
    from uml_core.plugins import Plugins
    from uml_core.registry import Registry
    from uml_core.settings import Settings
    from uml_core.supervisor import Active
    from uml_core.types import LoadRequest, Profile

View = dict[str, Any]


class Inventory:
    """Answers as :class:`uml_core.client.UniversalClient` does, by itself.

    Every method may read the disk: on an event loop they are for a thread. What a method returns is plain JSON.
    """

    def __init__(self, registry: Registry, plugins: Plugins, settings: Settings) -> None:
        self._registry = registry
        self._records = registry.records
        self._plugins = plugins
        self._settings = settings

    # Models

    def listing(
        self, shelf: Shelf | None = None, *, wanted: Wanted | None = None, active: Active | None = None
    ) -> View:
        """The cards of models as ``data``, and as ``problems`` the places that can't be read.

        :param shelf: what was listed already; else all headers that are not known are read now
        :param wanted: which models; all when absent
        :param active: what is loaded
        """
        shelf = shelf_of(self._registry, read_s=inf) if shelf is None else shelf
        cards, wanted = Cards(self._registry, self._settings, active=active), wanted or Wanted()
        return {
            "object": "list",
            "data": [card for card in map(cards.of, shelf.entries) if wanted.includes(card)],
            "problems": [{"reason": problem.reason} for problem in shelf.problems],
        }

    def model(self, ref: str, *, active: Active | None = None) -> View:
        """All that is known of one model; of one that can't be read, its ``error``.

        :raises ModelNotFoundError: there is none of that name, or several
        """
        model = self._registry.find(ref)
        said = Cards(self._registry, self._settings, active=active).of(read(self._registry, model))
        try:
            source = self._registry.source(model)
        except UMLError:
            said |= NO_SOURCE
        else:
            said |= source_details(source)
            said["backends"] = backends_of(self._planner(), model, source)
        return {**said, "profiles": self.profiles(model.id)}

    def remove(self, ref: str, *, used: Iterable[str] = ()) -> View:
        """Remove a model from the disk; see :func:`uml_core.server.removal.remove`."""
        return remove(self._registry, ref, used=used)

    # Names and pins

    def aliases(self) -> list[View]:
        """All further names of models, and who gave them."""
        return [self._alias(alias) for alias in sorted(self._registry.aliases)]

    def set_alias(self, alias: str, ref: str) -> View:
        """Let *alias* name a model from now on.

        :raises ConflictError: it is the id of a model, or stands in ``uml.toml``
        :raises BadRequestError: it is empty, too long, or can't be shown
        :raises ModelNotFoundError: there is no such model, or there are several
        """
        self._check_free(alias)
        model = self._registry.find(ref)
        if any(alias in {one.id for one in (found, *found.also)} for found in self._registry.models()):
            raise ConflictError(f"'{shown(alias)}' is the id of a model itself; take another name")
        self._records.set_alias(alias, model.id)
        return self._alias(alias)

    def remove_alias(self, alias: str) -> View:
        """Let *alias* name nothing any more.

        :raises ConflictError: it stands in ``uml.toml``
        :raises NotFoundError: there is no such alias
        """
        self._check_free(alias)
        model_id = self._records.aliases.get(alias)
        if not self._records.remove_alias(alias):
            raise NotFoundError(f"there is no alias '{shown(alias)}'; `uml alias` lists them")
        return {"alias": alias, "model": model_id, "removed": True}

    def pin(self, ref: str, on: bool = True) -> View:  # noqa: FBT001, FBT002 - as the client's
        """Protect a model from being removed, or no more; also one that is gone, if it was pinned.

        :raises ModelNotFoundError: there is no such model, or there are several
        """
        try:
            model_id = self._registry.find(ref).id
        except ModelNotFoundError:
            if on or ref not in self._records.pins:
                raise
            model_id = ref
        self._records.pin(model_id, on=on)
        return {"model": model_id, "pinned": on}

    def _check_free(self, alias: str) -> None:
        if alias in self._from_settings():
            raise ConflictError(f"the alias '{shown(alias)}' stands in uml.toml; change it there")

    def _alias(self, alias: str) -> View:
        source = "settings" if alias in self._from_settings() else "user"
        return {"alias": alias, "model": self._registry.aliases[alias], "source": source}

    def _from_settings(self) -> Mapping[str, str]:
        from uml_core.registry.names import aliases

        return aliases(self._settings.models)

    # Measurements

    def profiles(self, ref: str | None = None) -> list[View]:
        """How models did, newest first.

        :param ref: of this model only
        :raises ModelNotFoundError: there is no such model, or there are several
        """
        models = self._registry.models() if ref is None else [self._registry.find(ref)]
        found = [profile for model in models for profile in self._records.profiles(model.id)]
        return [profile_view(one) for one in sorted(found, key=lambda one: one.measured, reverse=True)]

    def put_profile(self, profile: Profile) -> View:
        """Remember a measurement."""
        self._records.put_profile(profile)
        return profile_view(profile)

    def advice(self, task: str | None = None, *, freed: Mapping[str, int] | None = None) -> View:
        """The models that fit this machine best as ``data``, with the reason, the best first; what was ``left_out``.

        :param task: what they are for: a word such as ``chat``, or a pipeline tag
        :param freed: as for :meth:`plan`
        :raises BadRequestError: there is no such task
        """
        from uml_core.planning.recommendation import recommend

        advice = recommend(self._planner(), task=task, freed=freed or {})
        return {
            "object": "list",
            "data": [_named(asdict(one)) for one in advice.recommended],
            "left_out": [_named(asdict(one)) for one in advice.left_out],
            "budget_bytes": advice.budget_bytes,
        }

    def recommendations(self, task: str | None = None) -> list[View]:
        """What :meth:`advice` recommends."""
        return list(self.advice(task)["data"])

    # Plans

    def plan(self, request: LoadRequest, *, allow_path: bool = False, freed: Mapping[str, int] | None = None) -> View:
        """What loading it would take and do; an engine may be asked for that, but nothing is loaded.

        :param allow_path: the request's model may be the path of a file; never for what comes over HTTP
        :param freed: what unloading the loaded model would free, in bytes: of ``cpu``, and of devices
        :raises UMLError: there is no such model, or no way to load it
        """
        from uml_core.planning.exactly import request_of

        plan = self._planner().draft(request, allow_path=allow_path, freed=freed or {}, thorough=True)
        path = request.model if allow_path and plan.model_id not in self._ids() else None
        return plan_view(plan, request_of(plan, model=path))

    def _ids(self) -> set[str]:
        return {one.id for model in self._registry.models() for one in (model, *model.also)}

    def _planner(self) -> Planner:
        from uml_core.planning import Planner

        return Planner(self._plugins, self._registry, self._settings)


def _named(said: View) -> View:
    """With the model first, under the name that it has everywhere over HTTP."""
    return {"model": said.pop("model_id"), **said}
