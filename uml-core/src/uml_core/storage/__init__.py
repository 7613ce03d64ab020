"""What happened, kept: one SQLite database, one thread that owns it, and rows that survive a kill.

Importing this imports no SQLAlchemy: the writer's thread does, once it runs.
"""

from uml_core.storage.no_storage import NoStorage
from uml_core.storage.storage import Storage

__all__ = ("NoStorage", "Storage")
