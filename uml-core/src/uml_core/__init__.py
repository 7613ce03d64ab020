"""The core of UML, the Universal Model Loader: the contract, the lifecycle and the HTTP face."""

import pluggy

__version__ = "0.1.0"

API_VERSION = 1
"""The version of the contract in :mod:`uml_core.hookspecs`; a plugin says which one it was written for."""

hookspec = pluggy.HookspecMarker("uml")
hookimpl = pluggy.HookimplMarker("uml")
"""Marks a function or method as the implementation of the hook of that name."""

__all__ = ("API_VERSION", "__version__", "hookimpl", "hookspec")
