"""Where templates run: the one environment, with what chat templates expect."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.nodes import CallBlock
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace


class GenerationTag(Extension):  # type: ignore[misc] # jinja2 is followed nowhere
    """``{% generation %}``, by which templates mark the assistant's words for training; here it does nothing."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own declaration

    def parse(self, parser: Parser) -> CallBlock:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Any) -> Any:
        return caller()


class PublicNamespace(Namespace):  # type: ignore[misc] # jinja2 is followed nowhere
    """A namespace that holds nothing with an underscore in front, which the interpreter might take for its own."""

    # no `self` in front: `namespace(self=1)` is allowed
    def __init__(*args: Any, **names: Any) -> None:
        self, *rest = args
        Namespace.__init__(self, *rest, **names)
        for name in dict(*rest, **names):
            PublicNamespace._check(name)

    def __setitem__(self, name: str, value: Any) -> None:
        PublicNamespace._check(name)
        Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check(name: str) -> None:
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace can't hold {name!r}")


class TemplateEnvironment(ImmutableSandboxedEnvironment):  # type: ignore[misc] # jinja2 is followed nowhere
    """The one place where templates run, with what chat templates expect (transformers has made them expect it)."""

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, "jinja2.ext.loopcontrols"])
        self.filters["tojson"] = to_json
        self.globals.update(
            raise_exception=_raise_exception, strftime_now=_strftime_now, dict=_plain_dict, namespace=PublicNamespace
        )


def to_json(value: Any, ensure_ascii: bool = False, **how: Any) -> str:  # noqa: FBT001, FBT002 - as templates call it
    """JSON without escapes for HTML, which the filter of jinja has."""
    return json.dumps(value, ensure_ascii=ensure_ascii, **how)


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005 - the user's own day


def _plain_dict(*args: Any, **items: Any) -> dict[Any, Any]:
    return dict(*args, **items)
