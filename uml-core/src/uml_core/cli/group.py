"""Which commands there are, and where each one lies; a command's module is imported only when it's needed."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from uml_core.errors import PluginConflictError, PluginError

COMMANDS = (
    "run", "serve", "list", "show", "scan", "recommend", "bench", "pull", "rm", "alias", "pin", "plan", "load",
    "unload", "ps", "jobs", "cancel", "events", "doctor", "plugins", "logs",
)  # fmt: skip
GROUP = "uml.commands"


class CommandGroup(TyperGroup):
    """Core's commands, and those that packages offer as entry points of the group ``uml.commands``.

    Such an entry point is a function with typer's annotations, or a :class:`typer.Typer`. It's loaded when it's
    called, never for a help page.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *foreign_commands()] if ctx.resilient_parsing else list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            return _command(cmd_name, importlib.import_module(f"uml_core.cli.{cmd_name}").command)
        entries = foreign_commands()
        if cmd_name in entries:
            return None if ctx.resilient_parsing else _foreign(cmd_name, entries[cmd_name])
        if not ctx.resilient_parsing and not cmd_name.startswith("-"):
            near = get_close_matches(cmd_name, [*COMMANDS, *entries], n=1)
            ctx.fail(f"there is no command '{cmd_name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        super().format_commands(ctx, formatter)
        rows = [(name, f"from {', '.join(map(_origin, found))}") for name, found in foreign_commands().items()]
        if rows:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)


def foreign_commands() -> Mapping[str, list[importlib.metadata.EntryPoint]]:
    """The commands that packages offer, by name, without loading any; core's own names can't be taken."""
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        if entry.name not in COMMANDS:
            found.setdefault(entry.name, []).append(entry)
    return found


def _foreign(name: str, entries: list[importlib.metadata.EntryPoint]) -> Any:
    if len(entries) > 1:
        both = " and ".join(_origin(entry) for entry in entries)
        raise PluginConflictError(f"command '{name}' is claimed by both {both}; uninstall one")
    entry = entries[0]
    _check_allowed(entry)
    try:
        return _command(name, entry.load())
    except (Exception, SystemExit) as error:  # an import may raise anything, and some call sys.exit()
        raise PluginError(
            f"command '{name}' of {_origin(entry)} can't be loaded: {type(error).__name__}: {error}; "
            "update or uninstall that package"
        ) from error


def _check_allowed(entry: importlib.metadata.EntryPoint) -> None:
    from uml_core.settings import read_settings

    settings = read_settings()
    disabled = {*settings.plugins.disabled, *settings.disabled_plugins}
    allow = settings.plugins.allow
    if entry.name in disabled or (allow is not None and entry.name not in allow):
        raise PluginError(
            f"command '{entry.name}' of {_origin(entry)} is blocked by your settings; "
            "see [plugins] allow and disabled in uml.toml, and UML_DISABLED_PLUGINS"
        )


def _command(name: str, offered: Callable[..., None] | typer.Typer) -> Any:
    if isinstance(offered, typer.Typer):
        command = get_command(offered)
        command.name = name
        return command
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(name, context_settings={"help_option_names": ["-h", "--help"]})(offered)
    return get_command(app)


def _origin(entry: importlib.metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
