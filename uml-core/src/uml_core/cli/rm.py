"""``uml rm``: remove a model from the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from uml_core.settings import Settings

Place = Mapping[str, Any]


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's whole id, or an alias.", show_default=False)
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove a model from UML's own folder.

    First it says what and how much, and asks. Models of other programs stay; it says how those remove them.
    """
    from uml_core.cli.output import ask, human_bytes, plain, print_json, say
    from uml_core.cli.places import named
    from uml_core.cli.registry import open_registry
    from uml_core.settings import read_settings

    settings = read_settings()
    with open_registry(settings, writes=True) as registry:
        ref = named(model, settings)
        view = registry.model(ref)
        place = _place(ref, view, settings)
        _check(view, place)
        what = plain(f"'{place['id']}' ({human_bytes(view['size_bytes'])}{_path(place)})")
        if not yes:
            _check_terminal(what)
            if not ask(f"Remove {what}?", default=False):
                say("nothing was removed")
                raise typer.Exit(1)
        removed = registry.remove(place["id"])
    if json:
        print_json(removed)
    else:
        say(plain(told(removed)))


def _place(ref: str, view: Place, settings: Settings) -> Place:
    """Which of the places of a model was meant.

    :raises ModelNotFoundError: none of them is called so, only a part of it is
    """
    from uml_core.cli.places import places_of
    from uml_core.errors import ModelNotFoundError

    known: Sequence[Place] = [view, *view["also"]]
    places = places_of(view["id"], settings) or known
    for place in places:
        if ref == place["id"]:
            return place
    if ref in view["aliases"]:
        return places[0]
    raise ModelNotFoundError(f"to remove a model takes its whole id; did you mean '{view['id']}'?")


def _check(view: Place, place: Place) -> None:
    """Refuse before anybody is asked.

    :raises PermissionDeniedError: it is another program's
    :raises ConflictError: it is loaded or pinned
    """
    from uml_core.cli.model_table import is_loaded
    from uml_core.cli.owners import check_own
    from uml_core.errors import ConflictError

    check_own(place)
    if is_loaded(view):
        raise ConflictError(f"'{view['id']}' is loaded; `uml unload` first, then remove it")
    if view["pinned"]:
        raise ConflictError(f"'{view['id']}' is pinned, so it stays; `uml pin --off {view['id']}` takes the pin off")


def _path(place: Place) -> str:
    from pathlib import Path

    if not place.get("path"):
        return ""
    path = Path(place["path"])
    return f", {path}" + (f", a link to {path.readlink()}, which stays" if path.is_symlink() else "")


def _check_terminal(what: str) -> None:
    import sys

    from uml_core.errors import BadRequestError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadRequestError(f"there is nobody to ask whether to remove {what}; --yes removes it without asking")


def told(removed: Mapping[str, Any]) -> str:
    """``removed 'x': 98 MB freed; the same model still lies in ollama as 'x:latest'``."""
    from uml_core.cli.output import human_bytes

    said = f"removed '{removed['id']}': {human_bytes(removed['freed_bytes'])} freed"
    left = _listed([f"{place['store']} as '{place['id']}'" for place in removed.get("left") or ()])
    return f"{said}; the same model still lies in {left}" if left else said


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
