"""A model card as JSON: what the database keeps, and the HTTP face shows parts of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from attrs import Attribute, fields

from uml_core.types.card import Layer, ModelCard, Shape

LAYERS = 100_000
"""More than any model has; a damaged count must not fill the memory."""


def to_json(card: ModelCard) -> dict[str, Any]:
    """The facts of *card* as JSON has them, those that are not as usual; of a source its card only."""
    return {name: _PLAIN.get(name, _plain)(value) for name, value in _unusual(card, fields(ModelCard))}


def from_json(facts: Mapping[str, Any]) -> ModelCard:
    """The card that :func:`to_json` was given; what it does not know is left out.

    :raises ValueError, TypeError, AttributeError, KeyError: *facts* are not such
    """
    return ModelCard(**{name: _RICH.get(name, _rich)(value) for name, value in facts.items() if name in _NAMES})


def shape_to_json(shape: Shape) -> dict[str, Any]:
    """The dimensions, with ``layers`` as a list of ``{"count": …, "kind": …, …}``, one for each run of equal ones."""
    facts = dict(_unusual(shape, fields(Shape)))
    layers = [{"count": len(list(run)), **_layer_to_json(layer)} for layer, run in groupby(shape.layers)]
    return {**facts, "layers": layers}


def shape_from_json(facts: Mapping[str, Any]) -> Shape:
    """The shape that :func:`shape_to_json` was given; equal layers are one object.

    :raises ValueError, TypeError, KeyError: *facts* are not such
    """
    layers: tuple[Layer, ...] = ()
    known: dict[Layer, Layer] = {}
    for run in facts["layers"]:
        count = run["count"]
        if not 0 <= count + len(layers) <= LAYERS:
            raise ValueError(f"no model has {count} layers")
        layer = Layer(**{name: value for name, value in run.items() if name != "count"})
        layers += (known.setdefault(layer, layer),) * count
    types = tuple((str(type), int(size_bytes)) for type, size_bytes in facts.get("type_bytes", ()))
    return Shape(**{**facts, "layers": layers, "type_bytes": types})


def _layer_to_json(layer: Layer) -> dict[str, Any]:
    return {"kind": layer.kind, **dict(_unusual(layer, fields(Layer)))}


def _unusual(value: object, its_fields: tuple[Attribute[Any], ...]) -> list[tuple[str, Any]]:
    both = ((field, getattr(value, field.name)) for field in its_fields)
    return [(field.name, found) for field, found in both if found != field.default]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _rich(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _texts(paths: tuple[Path, ...]) -> list[str]:
    return [str(path) for path in paths]


def _paths(texts: list[str]) -> tuple[Path, ...]:
    return tuple(map(Path, texts))


_NAMES = frozenset(field.name for field in fields(ModelCard))
_PLAIN: dict[str, Callable[[Any], Any]] = {"path": str, "files": _texts, "companions": _texts, "shape": shape_to_json}
_RICH: dict[str, Callable[[Any], Any]] = {"path": Path, "files": _paths, "companions": _paths, "shape": shape_from_json}
