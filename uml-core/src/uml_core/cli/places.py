"""Where on this machine a model lies: paths are for the person at it, and never go over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uml_core.cli.here import plugins_here
from uml_core.server.compose import registry_of

if TYPE_CHECKING:
    from uml_core.settings import Settings


def places_of(model_id: str, settings: Settings) -> list[dict[str, Any]]:
    """The places of the model with that id, its own first; none, if a gateway knows it by other settings.

    ``own`` says that its store can remove it: other programs' stores can't.
    """
    plugins = plugins_here(settings, warn=False)
    own = {store.name for store in plugins.stores() if store.remove is not None}
    models = registry_of(settings, plugins).models()
    model = next((model for model in models if model.id == model_id), None)
    places = (model, *model.also) if model else ()
    return [
        {"store": place.store, "id": place.id, "path": str(place.path), "own": place.store in own} for place in places
    ]
