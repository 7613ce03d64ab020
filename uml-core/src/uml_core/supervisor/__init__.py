"""The parent side: everything about worker processes except what runs inside them.

Never imports :mod:`uml_core.worker`. What crosses to the child is argv, environment, descriptors, the launch file,
HTTP, an exit code and log lines.
"""

from uml_core.supervisor.supervisor import Active, Supervisor

__all__ = ("Active", "Supervisor")
