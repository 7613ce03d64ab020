"""Why the devices of one driver can't be used."""

from __future__ import annotations


class DriverError(Exception):
    """The text is a sentence for the person, with the way out."""
