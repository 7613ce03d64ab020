"""What this machine has."""

from uml_core.host.probe import probe_host

__all__ = ("probe_host",)
