"""What a model is, without loading it."""

from uml_core.inspection.inspect import inspect

__all__ = ("inspect",)
