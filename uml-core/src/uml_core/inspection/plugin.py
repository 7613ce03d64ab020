"""The formats that the core reads itself, offered as any plugin offers its own."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core import hookimpl
from uml_core.inspection import gguf, safetensors
from uml_core.types import ModelFormat

uml_api_version = 1


@hookimpl
def uml_model_formats() -> Iterable[ModelFormat]:
    yield ModelFormat(name=gguf.NAME, claims=gguf.claims, read=gguf.read, suffixes=(".gguf",))
    yield ModelFormat(
        name=safetensors.NAME,
        claims=safetensors.claims,
        read=safetensors.read,
        suffixes=safetensors.SUFFIXES,
        marks=safetensors.MARKS,
    )
