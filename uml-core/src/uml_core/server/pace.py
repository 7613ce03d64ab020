"""How long clients are waited for, and how long they are kept waiting without a word; in seconds."""

from __future__ import annotations

from attrs import frozen

from uml_core.server.catalog import READ_S


@frozen(kw_only=True)
class Pace:
    """``body_s`` is a request body's time to arrive, with a second more for each 64 KiB of it.

    ``hold_s`` is how long the head of a stream waits for its first frame: until then an error can be a real HTTP
    error. ``ping_s`` is the longest silence of a stream; then comes a comment. ``stall_s`` is how long a client may
    take nothing of what waits for it. ``listing_s`` is how long a list of models reads headers that are not known;
    what is left then is for a scan.
    """

    body_s: float = 15.0
    hold_s: float = 5.0
    ping_s: float = 15.0
    stall_s: float = 30.0
    listing_s: float = READ_S
