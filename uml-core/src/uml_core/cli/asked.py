"""What the command line asks to load, and how: for the client, and back into a command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from uml_core.errors import BadRequestError

FLAGS = {
    "backend": "--backend",
    "context_length": "--ctx",
    "parallel": "--parallel",
    "threads": "--threads",
    "device": "--device",
    "cache_type": "--cache-type",
}


@frozen(kw_only=True)
class Asked:
    """The flags of one command, None where nothing was said; ``options`` are words like ``name=value``."""

    model: str
    backend: str | None = None
    context_length: int | None = None
    parallel: int | None = None
    threads: int | None = None
    spin: bool | None = None
    device: str | None = None
    cache_type: str | None = None
    force: bool = False
    options: Sequence[str] = ()

    def how(self) -> dict[str, Any]:
        """Everything but the model, as the client takes it.

        :raises BadRequestError: an option is no ``name=value``
        """
        said = asdict(self, recurse=False) | {"options": _parsed(self.options) or None, "force": self.force or None}
        return {name: value for name, value in said.items() if value is not None and name != "model"}

    def command(self, verb: str, changes: Mapping[str, Any]) -> str:
        """``uml load 'a model' --ctx 2048``: what was asked for, with these changes.

        :param changes: fields of a :class:`~uml_core.types.LoadRequest`
        """
        said = {"model": self.model, **self.how(), **changes}
        said["options"] = {**_parsed(self.options), **(changes.get("options") or {})}
        return shlex.join(["uml", verb, str(said["model"]), *_flags(said)])


def _flags(said: Mapping[str, Any]) -> Iterator[str]:
    for name, flag in FLAGS.items():
        if said.get(name) is not None:
            yield from (flag, str(said[name]))
    if said.get("spin") is not None:
        yield "--spin" if said["spin"] else "--no-spin"
    if said.get("force"):
        yield "--force"
    for name, value in said["options"].items():
        yield from ("--option", f"{name}={value if isinstance(value, str) else json.dumps(value)}")


def _parsed(words: Sequence[str]) -> dict[str, Any]:
    """The options by name; a value is JSON if it can be read so, else text."""
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise BadRequestError(f"'{word}' is no option; say it like `--option n_batch=256`")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options
