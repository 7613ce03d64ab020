"""What this machine has."""

from uml_core.host.host import probe_host

__all__ = ("probe_host",)
