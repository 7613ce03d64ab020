"""``uml list``: the models on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from uml_core.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.text import Text

    from uml_core.settings import Settings

COLUMNS = ("MODEL", "SIZE", "FORMAT", "PARAMS", "QUANT", "CONTEXT", "LICENSE", "STATUS")


def command(*, json: JsonOption = False) -> None:
    """List the models on this machine.

    Those that can't be read are there too, with the reason.
    """
    from uml_core.cli.gateway import live_client
    from uml_core.cli.output import print_json, print_table, say
    from uml_core.settings import read_settings

    settings = read_settings()
    client = live_client(settings)
    cards = client.models() if client else _local(settings)
    if json:
        print_json(cards)
    elif cards:
        print_table(COLUMNS, map(_row, cards))
        _explain(card for card in cards if card.get("error"))
        if sys.stderr.isatty():
            say(f"GGUF files in {settings.models_folder} are found by themselves", style="dim")
    else:
        say(
            f"there is no model on this machine yet; `uml pull starter` fetches a small one, and any GGUF file "
            f"that you put into {settings.models_folder} is found"
        )


def _row(card: Mapping[str, Any]) -> tuple[Text, ...]:
    from rich.text import Text

    from uml_core.cli.output import human_bytes, human_count

    kinds = [part for part in (card.get("format"), card.get("architecture")) if part]
    cells = (
        card["id"],
        human_bytes(card.get("size_bytes")),
        "/".join(kinds),
        human_count(card["parameters"]) if card.get("parameters") else "",
        card.get("quantization") or "",
        str(card.get("context_length") or ""),
        card.get("license") or "",
    )
    return (*map(Text, cells), _status(card))


def _status(card: Mapping[str, Any]) -> Text:
    from rich.text import Text

    if card.get("error"):
        return Text("unreadable", style="red")
    if card.get("kind") not in {None, "model"}:
        return Text(f"{card['kind']} of a model" if card["kind"] != "other" else "no model", style="dim")
    status = card["status"]["value"]
    return Text("" if status == "unloaded" else status, style="green")


def _explain(cards: Iterable[Mapping[str, Any]]) -> None:
    from rich.text import Text

    from uml_core.cli.output import plain, stdout

    for card in cards:
        stdout().print(Text(plain(f"{card['id']}: {card['error']}"), style="red"), soft_wrap=True)


def _local(settings: Settings) -> list[dict[str, Any]]:
    from uml_core.cli.here import registry_here
    from uml_core.server.cards import model_card
    from uml_core.server.catalog import read

    registry = registry_here(settings)
    return [model_card(read(registry, model)) for model in registry.models()]
