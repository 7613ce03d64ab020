"""Where on this machine a model lies: paths are for the person at it, and never go over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.cli.here import plugins_here, registry_here
from uml_core.errors import ModelNotFoundError
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


def named(ref: str, settings: Settings) -> str:
    """*ref*, or the id of the model that lies there if it is the path of a file: a registry knows no paths.

    :raises ModelNotFoundError: there is such a file, but in no store
    """
    path = Path(ref).expanduser()
    is_path = path.is_absolute() or ref.startswith(".") or path.is_file()
    if not is_path or not path.exists():
        return ref
    model = registry_here(settings, warn=False).find(ref, allow_path=True)
    if model.store == "path":
        raise ModelNotFoundError(
            f"'{ref}' lies in none of the stores that UML looks into; a link to it in '{settings.models_folder}' "
            "would be found, and `uml run` takes it as it is"
        )
    return model.id
