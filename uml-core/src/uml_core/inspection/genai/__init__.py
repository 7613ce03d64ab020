"""Folders that onnxruntime-genai's model builder writes: ``genai_config.json``, graphs and a tokenizer."""

from uml_core.inspection.genai.source import MARKS, NAME, claims, read

__all__ = ("MARKS", "NAME", "claims", "read")
