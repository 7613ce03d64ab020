"""The models on this machine: where they lie, what they are called, and the one that can be fetched."""

from uml_core.registry.folder import FolderStore
from uml_core.registry.registry import Registry

__all__ = ("FolderStore", "Registry")
