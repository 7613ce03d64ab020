"""One plan for one load."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from uml_core.errors import InvalidOptionsError, UnprocessableEntityError
from uml_core.host import probe_host
from uml_core.inspection.file import shown
from uml_core.planning.memory import require_memory
from uml_core.planning.options import load_options, plugin_settings
from uml_core.planning.selection import Selection, select
from uml_core.plugins import Plugins
from uml_core.registry import Registry
from uml_core.settings import ModelSettings, Settings
from uml_core.types import LoadRequest, ModelSource, Plan

PARALLEL = 64
NO_MODELS = {
    "projector": "the projector of a model that sees or hears: load the model that it belongs to",
    "adapter": "an adapter, a change to another model: load the model that it was made for",
    "imatrix": "no model: it holds the statistics that another one was quantized with",
    "other": "no model: it holds data about one, or lacks the weights",
}


@frozen
class Planner:
    """Makes plans. It blocks while files are read and backends are asked: call it in a thread."""

    plugins: Plugins
    registry: Registry
    settings: Settings

    def plan(self, request: LoadRequest, *, allow_path: bool = False, freed_bytes: int = 0) -> Plan:
        """Decide how to load what *request* asks for; what it leaves open is as ``uml.toml`` says for that model.

        :param allow_path: the request's model may be the path of a file; never for what comes over HTTP
        :param freed_bytes: the memory that will be free because another model is unloaded first
        :raises UMLError: it can't be done: the model, the backend, an option or the memory is the reason
        """
        stored = self.registry.find(request.model, allow_path=allow_path)
        model = self.registry.source(stored)
        if model.kind != "model":
            raise UnprocessableEntityError(f"'{shown(stored.id)}' is {NO_MODELS[model.kind]}")
        own = self.settings.models.get(stored.id, ModelSettings())
        host = probe_host()
        wanted = request.backend or own.backend
        chosen = select(self.plugins, model, host=host, settings=self.settings, wanted=wanted)
        require_memory(stored.id, model, host=host, freed_bytes=freed_bytes)
        return Plan(
            model_id=stored.id,
            model=model,
            backend=chosen.backend.name,
            tasks=chosen.backend.tasks if chosen.match.tasks is None else chosen.match.tasks,
            context_length=_context_length(request, own, model, usual=self.settings.context_length),
            parallel=_parallel(request, own),
            threads=self.settings.threads or max(1, host.physical_cores - 1),
            options=load_options(chosen.backend, _options(request, own, chosen)),
            settings=plugin_settings(chosen.backend, self.settings),
            reason="uml.toml names it for this model" if wanted and not request.backend else chosen.reason,
            rejected=chosen.rejected,
        )


def _options(request: LoadRequest, own: ModelSettings, chosen: Selection) -> dict[str, Any]:
    """The request's options over the model's; those were written for the model's backend, if it has one."""
    written_for_it = own.backend in (None, chosen.backend.name)
    return {**(own.options if written_for_it else {}), **request.options}


def _context_length(request: LoadRequest, own: ModelSettings, model: ModelSource, *, usual: int) -> int:
    asked = own.context_length if request.context_length is None else request.context_length
    trained = model.context_length
    if asked is None:
        return min(trained or usual, usual)
    if asked < 1 or (trained is not None and asked > trained):
        most = f"from 1 to the {trained} that the model was trained with" if trained else "at least 1"
        raise InvalidOptionsError(
            f"context_length is {asked} tokens, but must be {most}; ask for fewer", param="context_length"
        )
    return asked


def _parallel(request: LoadRequest, own: ModelSettings) -> int:
    parallel = (own.parallel or 1) if request.parallel is None else request.parallel
    if not 1 <= parallel <= PARALLEL:
        raise InvalidOptionsError(f"parallel is {parallel}, but must be from 1 to {PARALLEL}", param="parallel")
    return parallel
