"""The options and the settings: models of pydantic that say what may be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from uml_core.testing.conformance.subject import Subject
from uml_core.types import BackendInfo

BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "const"})


class OptionsTests(Subject):
    """That a wrong option is refused before anything is touched, and a right one is explained."""

    def test_unknown_options_are_refused(self, info: BackendInfo) -> None:
        """An option that nobody knows is an error.

        A failure means that a typing mistake is ignored, and the user wonders why nothing changes. Give the model
        ``model_config = ConfigDict(extra="forbid")``; the model of the settings too.
        """
        for model in models_of(info):
            with pytest.raises(ValidationError, match=r"(?i)extra"):
                model.model_validate({"an_option_that_nobody_has": 1})

    def test_defaults_are_valid(self, info: BackendInfo) -> None:
        """A load without options works.

        A failure means that an option has no default, so that `uml run model` can't load anything.
        """
        for model in models_of(info):
            model.model_validate({})

    def test_options_round_trip(self, info: BackendInfo) -> None:
        """Options survive being written as JSON and read again.

        A failure means that the worker gets other options than the user gave: they cross to it as JSON. Use types that
        JSON has, or give the model a serializer.
        """
        options = info.options.model_validate(dict(self.options))
        assert info.options.model_validate_json(options.model_dump_json()) == options

    def test_options_are_documented_and_bounded(self, info: BackendInfo) -> None:
        """Each option has a description, and each number a bound.

        A failure names the option. The description is what a user reads; a bound is what keeps a stranger's HTTP
        request from asking for a context of 10^12 tokens. Write ``Field(None, ge=1, description="…")``.
        """
        for model in models_of(info):
            for name, schema in model.model_json_schema().get("properties", {}).items():
                assert schema.get("description"), f"{model.__name__}.{name} has no description"
                assert all(BOUNDS & set(number) for number in numbers(schema)), f"{model.__name__}.{name} has no bound"


def models_of(info: BackendInfo) -> list[type[BaseModel]]:
    """The model of the options, and of the settings if there are some."""
    return [info.options, info.settings] if info.settings else [info.options]


def numbers(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parts of a JSON schema that take a number."""
    if schema.get("type") in {"integer", "number"}:
        yield schema
    for part in schema.get("anyOf", ()):
        yield from numbers(part)
