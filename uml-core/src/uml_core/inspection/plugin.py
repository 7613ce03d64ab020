"""The formats that the core reads itself, offered as any plugin offers its own."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core import hookimpl
from uml_core.inspection import genai, gguf, onnx, pytorch, safetensors
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
    yield ModelFormat(
        name=pytorch.NAME,
        claims=pytorch.claims,
        read=pytorch.read,
        suffixes=pytorch.SUFFIXES,
        marks=pytorch.MARKS,
    )
    yield ModelFormat(name=genai.NAME, claims=genai.claims, read=genai.read, marks=genai.MARKS)
    yield ModelFormat(name=onnx.NAME, claims=onnx.claims, read=onnx.read, suffixes=onnx.SUFFIXES, marks=onnx.MARKS)
