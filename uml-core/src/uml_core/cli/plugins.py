"""``uml plugins``: what is installed, what failed, and what each backend's workers run in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from uml_core.cli.options import JsonOption
from uml_core.cli.plugins_install import install
from uml_core.cli.plugins_remove import remove

if TYPE_CHECKING:
    from rich.text import Text

    from uml_core.settings import Settings

STYLES = {"loaded": "green", "failed": "bold red", "blocked": "yellow"}

command = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
command.command("install")(install)
command.command("remove")(remove)


@command.callback()
def plugins(context: typer.Context, *, json: JsonOption = False) -> None:
    """List the plugins, or install one.

    Of backends it shows what they load, which engine they have, and the Python that their workers run in if it is not
    UML's own; of those that failed the reason.
    """
    if context.invoked_subcommand is None:
        _list(json=json)


def _list(*, json: bool) -> None:
    from uml_core.cli.gateway import live_client
    from uml_core.cli.output import print_json, print_table
    from uml_core.settings import read_settings

    settings = read_settings()
    client = live_client(settings)
    cards = _local(settings)
    if client:
        backends = {card["name"]: card["backend"] for card in cards}  # the gateway tells no places
        cards = [{**card, "backend": backends.get(card["name"], card["backend"])} for card in client.plugins()]
    if json:
        print_json(cards)
    else:
        print_table(("PLUGIN", "STATUS", "PACKAGE", "GIVES"), map(_row, cards))


def _row(card: Mapping[str, Any]) -> tuple[Text, ...]:
    from rich.text import Text

    from uml_core.cli.output import plain

    style = STYLES.get(card["status"], "")
    told = (
        Text(plain(card["reason"]), style="red" if card["status"] == "failed" else "") if card.get("reason") else None
    )
    cells = (Text(card["name"]), Text(card["status"], style=style), Text(card["distribution"], style="dim"))
    return (*cells, told or Text("; ".join(_gives(card))))


def _gives(card: Mapping[str, Any]) -> Iterator[str]:
    backend = card.get("backend")
    if backend:
        from uml_core.cli.output import plain
        from uml_core.cli.plugins_environment import engine, place

        yield f"backend {backend['name']} for {', '.join(backend['formats'])}"
        yield from map(plain, filter(None, (engine(card), place(backend.get("environment") or {}))))
    else:
        yield ", ".join(hook.removeprefix("uml_").replace("_", " ") for hook in card.get("hooks", ()))


def _local(settings: Settings) -> list[dict[str, Any]]:
    from uml_core.cli.here import plugins_here
    from uml_core.server.cards import plugin_card

    return [plugin_card(card, settings) for card in plugins_here(settings, warn=False).cards]
