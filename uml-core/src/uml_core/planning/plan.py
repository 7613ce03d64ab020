"""One plan for one load."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from uml_core.errors import InvalidOptionsError
from uml_core.host import probe_host
from uml_core.planning.measured import profiles_here, speeds
from uml_core.planning.memory import require_memory
from uml_core.planning.options import load_options, plugin_settings
from uml_core.planning.ranking import Candidate
from uml_core.planning.selection import Selection, candidates, select
from uml_core.planning.threads import choose, default_pair, said_pair
from uml_core.planning.usable import require_usable
from uml_core.plugins import Plugins
from uml_core.registry import Registry
from uml_core.settings import ModelSettings, Settings
from uml_core.types import LoadRequest, ModelSource, Plan

PARALLEL = 64


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
        require_usable(stored.id, model, settings=self.settings)
        own = self.settings.models.get(stored.id, ModelSettings())
        said, host = said_pair(request, own, self.settings), probe_host()
        profiles = profiles_here(self.registry, stored.id, model)
        wanted = request.backend or own.backend
        speed = speeds(profiles, default=default_pair(host))
        chosen = select(
            self.plugins, model, model_id=stored.id, host=host, settings=self.settings, wanted=wanted, speeds=speed
        )
        require_memory(stored.id, model, host=host, freed_bytes=freed_bytes)
        (threads, spin), better = choose(said, profiles, backend=chosen.backend.name, host=host)
        reason = "uml.toml names it for this model" if wanted and not request.backend else chosen.reason
        return Plan(
            model_id=stored.id,
            model=model,
            backend=chosen.backend.name,
            tasks=chosen.backend.tasks if chosen.match.tasks is None else chosen.match.tasks,
            context_length=_context_length(request, own, model, usual=self.settings.context_length),
            parallel=_parallel(request, own),
            threads=threads,
            spin=spin,
            options=load_options(chosen.backend, _options(request, own, chosen)),
            settings=plugin_settings(chosen.backend, self.settings),
            reason=f"{reason}; {better.reason}" if better else reason,
            rejected=chosen.rejected,
        )

    def backends(self, ref: str, *, allow_path: bool = False) -> list[Candidate]:
        """What every backend says of a model: the best first, with the reason; at the end those that can't load it.

        :param allow_path: *ref* may be the path of a file; never for what comes over HTTP
        :raises UMLError: there is no such model, or it can't be read
        """
        stored = self.registry.find(ref, allow_path=allow_path)
        model, host = self.registry.source(stored), probe_host()
        speed = speeds(profiles_here(self.registry, stored.id, model), default=default_pair(host))
        return candidates(self.plugins, model, host=host, settings=self.settings, speeds=speed)


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
