"""The part of the client that is about the models of the machine, loaded or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from uml_core.client.connection import Connection

View = dict[str, Any]


class ModelMethods:
    """What a gateway knows of its machine's models, as methods.

    A model is its id, an alias, or a part of its id that fits no other; never a path.
    Every method raises a :class:`~uml_core.errors.UMLError` of the class that the gateway's error names.
    """

    _connection: Connection

    def listing(
        self, *, task: str | None = None, format: str | None = None, store: str | None = None, query: str | None = None
    ) -> View:
        """The cards of models as ``data``, and as ``problems`` the places of stores that can't be read.

        Unreadable models are there with their ``error``; one that was not read yet is ``pending``.

        :param task: only those for this task, such as ``text-generation``
        :param format: only those of this format, such as ``gguf``
        :param store: only those that this store has, also as a second copy
        :param query: only those with all of these words in id, alias, architecture, quantization or licence
        """
        wanted = {"task": task, "format": format, "store": store, "q": query}
        return dict(self._connection.get(_asking("/models", wanted)))

    def models(
        self, *, task: str | None = None, format: str | None = None, store: str | None = None, query: str | None = None
    ) -> list[View]:
        """The cards of :meth:`listing`, of every model when nothing is asked for."""
        return list(self.listing(task=task, format=format, store=store, query=query)["data"])

    def model(self, model: str) -> View:
        """Everything that is known of one model: also its ``shape``, ``files``, ``backends`` and ``profiles``.

        :raises ModelNotFoundError: there is none of that name, or several
        """
        return dict(self._connection.get(_path("/models", model)))

    def remove(self, model: str) -> View:
        """Remove a model from the disk, if it is in UML's own folder: what was ``removed``, and ``freed_bytes``.

        :raises ConflictError: it is loaded, about to be, or pinned
        :raises PermissionDeniedError: another program keeps it
        """
        return self._sent("DELETE", _path("/models", model))

    def aliases(self) -> list[View]:
        """All further names of models: ``alias``, ``model``, and whether ``source`` is ``settings`` or ``user``."""
        return list(self._connection.get("/aliases")["data"])

    def set_alias(self, alias: str, model: str) -> View:
        """Let *alias* name *model* from now on.

        :raises ConflictError: it is the id of a model, or stands in ``uml.toml``
        """
        return self._sent("PUT", _path("/aliases", alias), {"model": model})

    def remove_alias(self, alias: str) -> View:
        """Let *alias* name nothing any more.

        :raises NotFoundError: there is no such alias
        """
        return self._sent("DELETE", _path("/aliases", alias))

    def pin(self, model: str, on: bool = True) -> View:  # noqa: FBT001, FBT002 - `pin("x", False)` is read as it's meant
        """Protect *model* from being removed, or no more."""
        return self._sent("PUT" if on else "DELETE", _path("/pins", model), {} if on else None)

    def profiles(self, model: str | None = None) -> list[View]:
        """How models did on that machine, newest first; of all of them when *model* is absent."""
        return list(self._connection.get(_asking("/profiles", {"model": model}))["data"])

    def put_profile(self, profile: Mapping[str, Any]) -> View:
        """Have a measurement remembered; its fields are those of :class:`uml_core.types.Profile`.

        :raises BadRequestError: a field is missing, unknown or out of its range
        """
        return self._sent("POST", "/profiles", dict(profile))

    def advice(self, task: str | None = None) -> View:
        """The models that fit the gateway's machine best as ``data``, the best first; what was ``left_out``, and why.

        :param task: what they are for: a word such as ``chat``, or a pipeline tag
        :raises BadRequestError: there is no such task
        """
        return dict(self._connection.get(_asking("/recommendations", {"task": task})))

    def recommendations(self, task: str | None = None) -> list[View]:
        """What :meth:`advice` recommends: ``model``, ``backend``, ``needs_bytes``, ``reason``, the speed to expect."""
        return list(self.advice(task)["data"])

    def plan(
        self,
        model: str,
        *,
        backend: str | None = None,
        context_length: int | None = None,
        parallel: int | None = None,
        threads: int | None = None,
        spin: bool | None = None,
        device: str | None = None,
        cache_type: str | None = None,
        force: bool | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> View:
        """What loading it would take and do, with nothing touched; what is loaded now counts as free memory.

        The arguments are those of :meth:`~uml_core.client.UniversalClient.load`.

        :returns: ``fits``; if it doesn't, the ``problem`` and what ``would_fit``; the ``memory`` by device and kind;
            each of the ``decisions`` with its reason; ``load``, the arguments that load exactly this
        :raises UMLError: there is no such model, or no way to load it
        """
        asked = {
            "model": model,
            "backend": backend,
            "context_length": context_length,
            "parallel": parallel,
            "threads": threads,
            "spin": spin,
            "device": device,
            "cache_type": cache_type,
            "force": force or None,
            "options": dict(options) if options else None,
        }
        return self._sent("POST", "/plan", {name: value for name, value in asked.items() if value is not None})

    def _sent(self, method: str, path: str, body: object = None) -> View:
        return dict(self._connection.send(method, path, body).read())


def _path(base: str, name: str) -> str:
    return f"{base}/{quote(name, safe='/')}"


def _asking(path: str, wanted: Mapping[str, str | None]) -> str:
    said = {name: value for name, value in wanted.items() if value is not None}
    return f"{path}?{urlencode(said)}" if said else path
