"""Reading one field of a body: what it may be, None where the client said nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uml_core.errors import BadRequestError


def wrong(param: str, rule: str) -> BadRequestError:
    """The error for a field of the body that breaks its rule."""
    return BadRequestError(f"'{param}' {rule}", param=param)


def number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e9 <= value <= 1e9:
        raise wrong(name, "must be a number")
    return float(value)


def integer(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63):
        raise wrong(name, "must be a whole number")
    return value


def count(body: Mapping[str, Any], name: str) -> int | None:
    value = integer(body, name)
    if value is not None and value < 1:
        raise wrong(name, "must be 1 or more")
    return value


def between(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = integer(body, name)
    if value is not None and not least <= value <= most:
        raise wrong(name, f"must be {least} to {most}")
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, "must be true or false")
    return bool(value)


def texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = body.get(name)
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list) or not all(isinstance(text, str) and text for text in found):
        raise wrong(name, "must be a text or a list of texts, none of them empty")
    return tuple(found)
